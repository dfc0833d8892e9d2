"""The stable version, if it is not the candidate."""

from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components.manifest import EXTRA_FOLDER, MANIFEST_FILE, measure, to_text
from components.pushed_baseline.executor import VERSION_PROPERTY, Executor
from components.pusher.history import Change
from components.pusher.store import Store


def write_model(folder: Path, content: str) -> None:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "data").write_text(content)


@pytest.fixture
def find(tmp_path):
    """A function that runs the executor; returns the version found and the copied content."""

    def run(candidate: str | None):
        model, output = standard_artifacts.Model(), standard_artifacts.Model()
        model.uri, output.uri = str(tmp_path / "candidate"), str(tmp_path / "baseline")
        if candidate is not None:
            write_model(tmp_path / "candidate" / "Format-Serving", candidate)
        Executor().Do(
            {} if candidate is None else {"candidate": [model]},
            {"model": [output]},
            {"base_directory": str(tmp_path / "serving")},
        )
        copied = tmp_path / "baseline" / "Format-Serving" / "variables" / "data"
        return (
            output.get_string_custom_property(VERSION_PROPERTY),
            copied.read_text() if copied.exists() else None,
        )

    return run


def test_nothing_was_pushed(find):
    assert find("new") == ("", None)


def test_without_a_candidate_it_is_the_stable_version(find, tmp_path):
    assert find(None) == ("", None)
    write_model(tmp_path / "serving" / "1", "old")
    assert find(None) == ("1", "old")


def test_the_newest_by_number(find, tmp_path):
    for version in ("9", "10"):
        write_model(tmp_path / "serving" / version, version)
    write_model(tmp_path / "serving" / ".11.part", "half")
    assert find("new") == ("10", "10")


def test_the_candidate_is_not_compared_with_itself(find, tmp_path):
    write_model(tmp_path / "serving" / "1", "old")
    write_model(tmp_path / "serving" / "2", "new")
    (tmp_path / "serving" / "2" / "assets.extra").mkdir()  # what the Pusher adds
    (tmp_path / "serving" / "2" / "assets.extra" / "card.md").write_text("card")
    assert find("new") == ("1", "old")


@pytest.mark.parametrize("manifest", ["none", "whole", "broken"])
def test_what_was_pushed_with_a_manifest_is_known_by_it(find, tmp_path, manifest):
    for version, content in (("1", "old"), ("2", "new")):
        write_model(tmp_path / "serving" / version, content)
    folder = tmp_path / "serving" / "2"
    text = {"whole": to_text(measure(str(folder))), "broken": "?"}.get(manifest)
    if text:
        (folder / EXTRA_FOLDER).mkdir()
        (folder / EXTRA_FOLDER / MANIFEST_FILE).write_text(text)
    assert find("new") == ("1", "old")


def test_a_damaged_version_is_still_the_candidates(find, tmp_path):
    for version, content in (("1", "old"), ("2", "new")):
        write_model(tmp_path / "serving" / version, content)
    folder = tmp_path / "serving" / "2"
    (folder / EXTRA_FOLDER).mkdir()
    (folder / EXTRA_FOLDER / MANIFEST_FILE).write_text(to_text(measure(str(folder))))
    (folder / "variables" / "data").write_text("damaged")
    assert find("new") == ("1", "old")


def test_not_what_was_rolled_back_nor_what_is_on_trial(find, tmp_path):
    for version in ("1", "2", "3"):
        write_model(tmp_path / "serving" / version, version)
    store = Store(str(tmp_path / "serving"))
    store.apply(Change(action="rollback", version=2, stable=1, canary=3, why="wrong"), None, 0)
    assert find("new") == ("1", "1")


def test_the_stable_one_need_not_be_the_newest(find, tmp_path):
    for version in ("1", "2"):
        write_model(tmp_path / "serving" / version, version)
    store = Store(str(tmp_path / "serving"))
    store.apply(Change(action="promote", version=1, stable=1), None, 0)
    assert find("new") == ("1", "1")
