import json
import shutil
from pathlib import Path

import pytest

from components.pusher.history import Change
from components.pusher.store import Store
from pipeline.configs import PretrainedConfig
from pipeline.pretrained import PretrainedError, pushed_model


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two pushed versions, by two of three runs."""
    base = tmp_path / "bert"
    for version, run in (("9", "r1"), ("10", "r2")):
        folder = base / "serving" / "bert" / version
        folder.mkdir(parents=True)
        (base / run).mkdir()
        pushed = {"pushed": {"version": version, "path": str(folder)}}
        (base / run / "summary.json").write_text(json.dumps(pushed))
    (base / "r3").mkdir()
    (base / "r3" / "summary.json").write_text(json.dumps({"pushed": None}))
    return tmp_path


def wanted(root: Path, **changes: str) -> PretrainedConfig:
    return PretrainedConfig(**({"pipeline": "bert", "root": str(root)} | changes))


def test_the_latest_is_the_newest_version(runs):
    assert pushed_model(wanted(runs)).name == "10"


def test_a_run_is_named_by_its_id(runs):
    assert pushed_model(wanted(runs, run="r1")).name == "9"


def test_what_was_rolled_back_is_not_started_from(runs):
    store = Store(str(runs / "bert/serving/bert"))
    store.apply(Change(action="rollback", version=10, stable=9, why="wrong"), None, 0)
    assert pushed_model(wanted(runs)).name == "9"


def test_a_version_that_was_deleted_is_said(runs):
    shutil.rmtree(runs / "bert/serving/bert/9")
    with pytest.raises(PretrainedError, match=r"version 9, .* is not in .* any more: push.keep"):
        pushed_model(wanted(runs, run="r1"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pipeline": "gpt"}, "holds no pushed model: run the pretraining pipeline gpt first"),
        ({"run": "r4"}, "holds no run 'r4'; the latest are r1, r2, r3"),
        ({"run": "r3"}, "the run r3 pushed nothing: its model was not blessed"),
    ],
)
def test_what_is_not_there_is_said(runs, changes, message):
    with pytest.raises(PretrainedError, match=message):
        pushed_model(wanted(runs, **changes))
