"""Which model the candidate is compared with."""

import pytest
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.evaluator.baseline import StableOrLatestOtherModelStrategy
from components.pusher.history import Change, Origin
from components.pusher.store import Store


def model(number: int) -> Model:
    artifact = Model()
    artifact.id, artifact.uri = number, f"/models/{number}"
    return artifact


def blessing(number: int, of: int, blessed: bool = True) -> ModelBlessing:
    artifact = ModelBlessing()
    artifact.id = number
    artifact.set_int_custom_property("current_model_id", of)
    artifact.set_int_custom_property("blessed", int(blessed))
    return artifact


def resolve(
    candidate: int, models: list[int], blessings: list[ModelBlessing], pushed: str = "/nowhere"
) -> list[int]:
    """Ids of the resolved baseline."""
    given = [model(candidate)]
    resolved = StableOrLatestOtherModelStrategy(pushed).resolve_artifacts(
        None,  # the store; what it holds is passed
        {"candidate": given, "model": list(map(model, models)), "model_blessing": blessings},
    )
    assert resolved["candidate"] == given
    assert len(resolved["model"]) == len(resolved["model_blessing"])
    return [artifact.id for artifact in resolved["model"]]


@pytest.mark.parametrize("models", [[2, 1, 3], [3, 2, 1]])
def test_the_latest_blessed_one(models):
    blessings = [blessing(10, of=1), blessing(11, of=2), blessing(12, of=3)]
    assert resolve(9, models, blessings) == [3]


def test_not_the_candidate_though_it_was_blessed_earlier():
    blessings = [blessing(10, of=1), blessing(11, of=2)]
    assert resolve(2, [1, 2], blessings) == [1]


def test_not_one_that_was_refused():
    blessings = [blessing(10, of=1), blessing(11, of=2, blessed=False)]
    assert resolve(9, [1, 2, 9], blessings) == [1]


@pytest.mark.parametrize(
    ("models", "blessings"),
    [
        ([9], []),
        ([9], [blessing(10, of=9)]),
        ([1, 9], []),
        ([1, 9], [blessing(10, of=1, blessed=False)]),
        ([], []),
    ],
)
def test_none_on_the_first_run(models, blessings):
    assert resolve(9, models, blessings) == []


def test_the_candidate_is_compared_again_when_judged_again():
    """Its own refusal or blessing from an earlier run plays no part."""
    blessings = [blessing(10, of=1), blessing(11, of=2, blessed=False), blessing(12, of=2)]
    assert resolve(2, [1, 2], blessings) == [1]


@pytest.fixture
def pushed(tmp_path):
    """A function that has the models 1, 2 and 3 pushed as versions 11, 12, 13 and then makes changes."""
    store = Store(str(tmp_path))

    def make(*changes: Change) -> str:
        pushes = [
            Change(
                action="push",
                version=10 + number,
                stable=10 + number,
                origin=Origin(content=str(number), model=f"/models/{number}"),
            )
            for number in (1, 2, 3)
        ]
        for change in (*pushes, *changes):
            (tmp_path / str(change.version)).mkdir(exist_ok=True)
            store.apply(change, "toy", None, wait_seconds=0)
        return str(tmp_path)

    return make


BLESSINGS = [blessing(10, of=1), blessing(11, of=2), blessing(12, of=3), blessing(13, of=4)]


def test_the_stable_one_though_a_later_one_was_blessed(pushed):
    """The later one is on trial, or was not found to serve as it should."""
    assert resolve(9, [1, 2, 3, 4, 9], BLESSINGS, pushed()) == [3]


def test_not_one_that_was_rolled_back(pushed):
    back = Change(action="rollback", version=13, stable=12, why="wrong")
    folder = pushed(back)
    assert resolve(9, [1, 2, 3, 9], BLESSINGS, folder) == [2]
    assert resolve(2, [1, 2, 3], BLESSINGS, folder) == [1]  # the stable one is judged again
    assert resolve(3, [1, 2, 3], BLESSINGS, folder) == [2]
