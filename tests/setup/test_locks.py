"""The locks can be trusted: every requirement is exact and hashed, and none names a place."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
LOCKS = ["tfx116", "tfx121", "tfx121_runtime", "uv"]


def requirements(lock: str) -> list[str]:
    """The logical lines of a lock, comments left out."""
    text = (REQUIREMENTS / f"{lock}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def inputs(name: str) -> set[str]:
    """The packages that an .in file names, and those of the files it reads."""
    names = set()
    for line in (REQUIREMENTS / f"{name}.in").read_text(encoding="utf-8").splitlines():
        requirement = line.split("#")[0].strip()
        if requirement.startswith("-r "):
            names |= inputs(requirement[3:].removesuffix(".in"))
        elif requirement:
            names.add(canonical(re.split(r"[\[<>=;]", requirement)[0]))
    return names


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_exact_and_hashed(lock):
    lines = requirements(lock)
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9][a-z0-9.-]*==[\w.+!]+ ", line), line
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_index_or_a_folder(lock):
    text = (REQUIREMENTS / f"{lock}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    assert not re.search(r"(^|\s)/\w", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_lock_holds_what_its_input_names(lock):
    locked = {line.split("==")[0] for line in requirements(lock)}
    assert inputs(lock) - locked == set()


def test_both_stacks_lock_the_same_direct_requirements():
    only_older, only_current = {"dill"}, set()
    assert inputs("tfx116") - inputs("tfx121") == only_older
    assert inputs("tfx121") - inputs("tfx116") == only_current


def test_the_image_has_what_was_tested_without_the_tools():
    """To the hash. Markers apart: the tools make uv note implementations of Python that are none of ours."""
    runtime, tested = (
        {re.sub(" ;.*?(?= --hash)", "", line) for line in requirements(lock)}
        for lock in ("tfx121_runtime", "tfx121")
    )
    assert runtime < tested
    assert inputs("development") & {line.split("==")[0] for line in runtime} == set()
