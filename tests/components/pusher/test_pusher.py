"""A version is there with its card, or it is not there."""

import os
from pathlib import Path

import pytest
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.model_card.artifact import ModelCard
from components.pusher.executor import Executor


class Push:
    """A model, its blessings and its card; `run` pushes."""

    def __init__(self, folder: Path):
        self.folder, self.base = folder, folder / "serving"
        (folder / "model/Format-Serving/variables").mkdir(parents=True)
        (folder / "model/Format-Serving/saved_model.pb").write_text("graph")
        (folder / "model/Format-Serving/variables/weights").write_text("weights")
        (folder / "card").mkdir()
        for name in ("model_card.md", "model_card.json"):
            (folder / "card" / name).write_text(name)

    def run(
        self, blessed: int = 1, served: str = "INFRA_BLESSED"
    ) -> standard_artifacts.PushedModel:
        def artifact(kind: type, name: str):
            made = kind()
            made.uri = str(self.folder / name)
            return made

        inputs = {
            "model": artifact(standard_artifacts.Model, "model"),
            "model_blessing": artifact(standard_artifacts.ModelBlessing, "blessing"),
            "infra_blessing": artifact(standard_artifacts.InfraBlessing, "infra"),
            "model_card": artifact(ModelCard, "card"),
        }
        inputs["model_blessing"].set_int_custom_property("blessed", blessed)
        inputs["infra_blessing"].set_string_custom_property("blessing_status", served)
        inputs["infra_blessing"].set_int_custom_property("blessed", int(served == "INFRA_BLESSED"))
        filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=str(self.base))
        destination = pusher_pb2.PushDestination(filesystem=filesystem)
        pushed = artifact(standard_artifacts.PushedModel, "pushed")
        Executor(BaseExecutor.Context()).Do(
            {key: [value] for key, value in inputs.items()},
            {"pushed_model": [pushed]},
            {"push_destination": proto_utils.proto_to_json(destination)},
        )
        return pushed


@pytest.fixture
def push(tmp_path) -> Push:
    return Push(tmp_path)


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_the_card_lies_beside_the_saved_model(push):
    pushed = push.run()
    [version] = push.base.iterdir()
    assert files(version) == {
        "saved_model.pb",
        "variables/weights",
        "assets.extra/model_card.md",
        "assets.extra/model_card.json",
    }
    assert files(Path(pushed.uri)) == files(version)
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(version)
    assert pushed.get_string_custom_property("pushed_version") == version.name


@pytest.mark.parametrize("refused", [{"blessed": 0}, {"served": "INFRA_NOT_BLESSED"}])
def test_what_is_not_blessed_is_not_pushed(push, refused):
    pushed = push.run(**refused)
    assert not push.base.exists()
    assert pushed.get_int_custom_property("pushed") == 0


def test_two_pushes_within_a_second_are_two_versions(push):
    numbers = [int(push.run().get_string_custom_property("pushed_version")) for _ in range(3)]
    assert numbers == sorted(set(numbers))
    assert {path.name for path in push.base.iterdir()} == {str(n) for n in numbers}


def test_what_fails_midway_is_no_version(push):
    (push.folder / "card/model_card.json").unlink()
    with pytest.raises(fileio.NotFoundError):
        push.run()
    assert not [name for name in os.listdir(push.base) if name.isdigit()]
