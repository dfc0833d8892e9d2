"""install.sh's choice of stack and its messages, on machines faked by a PATH of tiny executables."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "install.sh"
REAL_TOOLS = ["basename", "dirname", "head", "sort", "bash"]


@dataclass
class Machine:
    """A machine to install on: its PATH, its home, and what its Pythons answer."""

    root: Path

    def __post_init__(self) -> None:
        self.bin.mkdir(parents=True)
        self.home.mkdir()
        for tool in REAL_TOOLS:
            real = next(p for d in os.defpath.split(":") if (p := Path(d, tool)).exists())
            (self.bin / tool).symlink_to(real)
        self.system("Linux x86_64")
        self.glibc("2.36")
        self.add("g++", "exit 0")

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def home(self) -> Path:
        return self.root / "home"

    def add(self, name: str, script: str, folder: Path | None = None) -> Path:
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def system(self, name_and_processor: str) -> None:
        name, processor = name_and_processor.split()
        self.add("uname", f"case $1 in -s) echo {name};; -m) echo {processor};; esac")

    def glibc(self, version: str) -> None:
        self.add("getconf", f"echo glibc {version}")

    def python(
        self,
        minor: int,
        name: str | None = None,
        folder: Path | None = None,
        in_venv: bool = False,
        compiler: str = "g++ -pthread",
        headers: bool = True,
        ensurepip: bool = True,
    ) -> Path:
        """A Python of that minor version, which answers the two questions install.sh asks."""
        header = self.root / "Python.h"
        header.touch()
        return self.add(
            name or f"python3.{minor}",
            f"""case $3 in
            *version_info*) echo "(3, {minor}) {not in_venv}" ;;
            *) echo "{compiler.split()[0]}"; echo "{header if headers else "/nowhere/Python.h"}"
               echo {ensurepip} ;;
            esac""",
            folder,
        )

    def pyenv(self, version: str) -> Path:
        minor = int(version.split(".")[1])
        return self.python(minor, folder=self.home / f".pyenv/versions/{version}/bin")

    def start(self, option: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT, option],
            env={"PATH": str(self.bin), "HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def chosen(self, **environment: str) -> str:
        result = self.start("--check", **environment)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def refusal(self, option: str = "--check", **environment: str) -> str:
        result = self.start(option, **environment)
        assert result.returncode == 2
        assert result.stdout == ""
        return result.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("glibc", "minors", "stack", "minor"),
    [
        ("2.36", [10], "tfx116", 10),
        ("2.36", [10, 13], "tfx116", 10),
        ("2.37", [10, 13], "tfx116", 10),
        ("2.38", [10, 13], "tfx121", 13),
        ("2.41", [11], "tfx121", 11),
        ("2.41", [11, 12], "tfx121", 12),
        ("2.41", [10, 14], "tfx116", 10),
        ("2.4", [10, 13], "tfx116", 10),
        ("3.0", [10, 13], "tfx121", 13),
    ],
)
def test_the_current_stack_is_chosen_where_it_runs(machine, glibc, minors, stack, minor):
    machine.glibc(glibc)
    pythons = {m: machine.python(m) for m in minors}
    assert machine.chosen() == f"{stack} {pythons[minor]}"


def test_stack_overrides_the_choice(machine):
    machine.glibc("2.41")
    machine.python(13)
    older = machine.python(10)
    assert machine.chosen(STACK="tfx116") == f"tfx116 {older}"


def test_an_unknown_stack_is_refused(machine):
    machine.python(10)
    message = machine.refusal(STACK="tfx200")
    assert "STACK=tfx200 is not a stack. It can be tfx116 or tfx121" in message


def test_the_current_stack_is_refused_below_its_glibc(machine):
    machine.python(13)
    message = machine.refusal(STACK="tfx121")
    assert "needs glibc 2.38 or newer, and this is 2.36" in message
    assert "make test-current" in message


def test_python3_counts_by_its_version(machine):
    python = machine.python(10, name="python3")
    assert machine.chosen() == f"tfx116 {python}"


def test_a_shim_that_fails_is_passed_over(machine):
    machine.add("python3.10", "echo 'pyenv: python3.10: command not found' >&2; exit 127")
    real = machine.pyenv("3.10.13")
    assert machine.chosen() == f"tfx116 {real}"


def test_an_activated_environment_is_passed_over(machine):
    machine.python(10, in_venv=True)
    real = machine.pyenv("3.10.13")
    assert machine.chosen() == f"tfx116 {real}"


def test_the_newest_patch_release_of_pyenv_is_taken(machine):
    machine.pyenv("3.10.9")
    newest = machine.pyenv("3.10.13")
    assert machine.chosen() == f"tfx116 {newest}"


def test_pyenv_is_found_where_its_root_says(machine, tmp_path):
    real = machine.python(10, folder=tmp_path / "elsewhere/versions/3.10.1/bin")
    assert machine.chosen(PYENV_ROOT=str(tmp_path / "elsewhere")) == f"tfx116 {real}"


def test_a_python_that_uv_installed_is_found(machine):
    folder = machine.home / ".local/share/uv/python/cpython-3.10.19-linux-x86_64-gnu/bin"
    real = machine.python(10, folder=folder)
    assert machine.chosen() == f"tfx116 {real}"


@pytest.mark.parametrize(
    ("tools", "command"),
    [
        (["python3"], "~/.uv/bin/uv python install 3.10"),
        (["python3", "pyenv"], "pyenv install 3.10"),
        (["python3", "pyenv", "uv"], "uv python install 3.10"),
        (["apt-get"], "sudo apt-get install python3 python3-venv python3-dev"),
    ],
)
def test_a_missing_python_comes_with_the_command_that_mends_it(machine, tools, command):
    for tool in tools:
        machine.add(tool, "exit 1")
    message = machine.refusal()
    assert "needs Python 3.10, and none was found (glibc 2.36)" in message
    assert message.rstrip().endswith(command)


def test_a_missing_python_on_a_current_system_asks_for_a_current_one(machine):
    machine.glibc("2.41")
    machine.add("uv", "exit 1")
    message = machine.refusal()
    assert "no Python from 3.10 to 3.13 was found" in message
    assert "uv python install 3.13" in message


@pytest.mark.parametrize(
    ("lacking", "problem", "mend"),
    [
        ({"compiler": "x86_64-g++"}, "no C++ compiler (x86_64-g++)", "apt-get install g++"),
        ({"ensurepip": False}, "can't make virtual environments", "install python3.10-venv"),
        ({"headers": False}, "headers of", "install python3.10-dev"),
    ],
)
def test_what_building_takes_is_asked_for_first(machine, lacking, problem, mend):
    machine.python(10, **lacking)
    message = machine.refusal()
    assert problem in message
    assert mend in message


@pytest.mark.parametrize("system", ["Darwin arm64", "Linux aarch64"])
def test_other_machines_are_refused(machine, system):
    machine.system(system)
    machine.python(10)
    assert " on ".join(system.split()) in machine.refusal()


def test_other_c_libraries_are_refused(machine):
    machine.add("getconf", "exit 1")
    assert "another C library" in machine.refusal()


def test_an_unknown_argument_is_refused(machine):
    result = subprocess.run([SCRIPT, "--chek"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "unknown argument: --chek" in result.stderr


def test_the_older_stack_has_no_runtime_set(machine):
    machine.python(10)
    message = machine.refusal("--runtime", STACK="tfx116")
    assert "there is no runtime set of stack tfx116" in message
