"""Libraries write to the log file, we to the terminal: shown in processes of their own."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.logs import quiet

ROOT = Path(__file__).resolve().parent.parent.parent


def run(program: str, log: Path, *args: str) -> subprocess.CompletedProcess:
    """Runs a program whose first argument is the log file."""
    return subprocess.run(
        [sys.executable, "-c", program, str(log), *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


NOISY = """
import logging, os, sys, warnings
from pathlib import Path
from pipeline.logs import quiet

with quiet(Path(sys.argv[1]), verbose="-v" in sys.argv) as console:
    os.write(2, b"native\\n")  # as TensorFlow's C++ code does
    print("python", file=sys.stderr)
    logging.getLogger("some.library").info("logged")
    logging.getLogger("apache_beam.runner").info("beam chatter")
    logging.getLogger("absl").warning("ArtifactQuery.property_predicate is not supported.")
    logging.getLogger("absl").warning("something else of absl's")
    warnings.warn("deprecated")
    console.print("for the user")
os.write(2, b"afterwards\\n")
"""


def test_quiet(tmp_path):
    log = tmp_path / "new" / "folder" / "log.txt"
    done = run(NOISY, log)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "for the user\nafterwards\n"
    lines = log.read_text().splitlines()
    assert lines[:2] == ["native", "python"]
    assert [line.split(" ", 2)[2] for line in lines[2:]] == [
        "some.library logged",
        "absl something else of absl's",
    ]


def test_the_log_is_appended_to(tmp_path):
    log = tmp_path / "log.txt"
    run(NOISY, log)
    run(NOISY, log)
    assert log.read_text().count("native") == 2


def test_verbose(tmp_path):
    done = run(NOISY, tmp_path / "log.txt", "-v")
    for text in ("native", "python", "logged", "deprecated", "for the user", "afterwards"):
        assert text in done.stderr
    assert not (tmp_path / "log.txt").exists()


def test_an_error_still_reaches_the_terminal(tmp_path):
    program = """
import sys
from pathlib import Path
from pipeline.logs import quiet

with quiet(Path(sys.argv[1])):
    raise ValueError("what went wrong")
"""
    done = run(program, tmp_path / "log.txt")
    assert done.returncode == 1
    assert "ValueError: what went wrong" in done.stderr


@pytest.mark.parametrize("verbose", [False, True])
def test_who_logs_afterwards_finds_the_handlers_of_before(tmp_path, verbose):
    root, mine = logging.getLogger(), logging.NullHandler()
    root.addHandler(mine)
    before, level = root.handlers[:], root.level
    try:
        with quiet(tmp_path / "log.txt", verbose):
            assert mine not in root.handlers
        assert (root.handlers, root.level) == (before, level)
    finally:
        root.removeHandler(mine)
