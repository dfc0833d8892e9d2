"""The wheel holds every package and nothing else, and asks for what the locks give."""

import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PACKAGES = ["pipeline", "components", "models", "serving"]
PACKAGE_DATA = {".css", ".j2", ".pbtxt", ".tsv", ".yaml"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """A wheel built from a copy, so that the build leaves nothing in the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in [*PACKAGES, "tests", "benchmarks", "configs"]:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name)
    for name in ["setup.py", "pyproject.toml", "README.md", "LICENSE"]:
        shutil.copy(ROOT / name, source)
    output = tmp_path_factory.mktemp("dist")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", output, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = output.glob("sciformer-*.whl")
    return zipfile.ZipFile(path)


def expected_files() -> set[str]:
    """All of the packages; serving/deploy is no package, and is used from a checkout."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py"} | PACKAGE_DATA
        and not path.is_relative_to(ROOT / "serving" / "deploy")
    }


def test_the_wheel_holds_the_packages_and_nothing_else(wheel):
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == expected_files()


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.13"])
def test_the_locked_versions_are_within_the_wheels_ranges(wheel, python):
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    wanted = Parser().parsestr(wheel.read(metadata).decode()).get_all("Requires-Dist")
    stack = "tfx116" if python == "3.10" else "tfx121"
    locked = locked_versions(stack)
    here = {"python_version": python, "extra": "test"}
    applying = [r for r in map(Requirement, wanted) if not r.marker or r.marker.evaluate(here)]
    assert any(r.name == "tfx" for r in applying)
    for requirement in applying:
        assert requirement.specifier.contains(locked[requirement.name]), str(requirement)


def locked_versions(stack: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / f"{stack}.txt").read_text(encoding="utf-8").splitlines()
    pinned = (line.split()[0].split("==") for line in lines if "==" in line and line[0].isalnum())
    return dict(pinned)
