"""The SHA-256 of each file of a folder: which bytes were blessed, and whether they are still the same."""

import hashlib
import os
from collections.abc import Mapping

from tfx.dsl.io import fileio

MANIFEST_FILE = "SHA256SUMS"  # as `sha256sum --check` reads it
_CHUNK = 1 << 20  # bytes


def measure(folder: str) -> dict[str, str]:
    """Hashes every file below a folder, on whatever file system it lies.

    Returns:
        SHA-256 in hexadecimal by path relative to the folder, sorted by path; empty if there is no folder.
    """
    hashes = {}
    for directory, _, names in fileio.walk(folder) if fileio.isdir(folder) else ():
        for name in names:
            path = os.path.join(directory, name)
            hashes[os.path.relpath(path, folder)] = _sha256(path)
    return dict(sorted(hashes.items()))


def to_text(manifest: Mapping[str, str]) -> str:
    """One line a file."""
    return "".join(f"{digest}  {path}\n" for path, digest in manifest.items())


def from_text(text: str) -> dict[str, str]:
    """The inverse of `to_text`.

    Raises:
        ValueError: a line is none of a manifest.
    """
    manifest = {}
    for number, line in enumerate(text.splitlines(), 1):
        digest, separator, path = line.partition("  ")
        if not (separator and path and len(digest) == 64):
            raise ValueError(
                f"line {number} is not a SHA-256, two spaces and a path: {line[:80]!r}"
            )
        manifest[path] = digest
    return manifest


def content_hash(manifest: Mapping[str, str]) -> str:
    """One SHA-256 for all files, by their names and contents."""
    return hashlib.sha256(to_text(manifest).encode()).hexdigest()


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """A phrase for each file that is missing, has other bytes, or is too many."""
    return [
        f"{path} {'is missing' if path not in found else 'has other bytes'}"
        for path, digest in expected.items()
        if found.get(path) != digest
    ] + [f"{path} was added" for path in found if path not in expected]


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with fileio.open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
