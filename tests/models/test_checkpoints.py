"""Checkpoints are whole or passed over, and only as many are kept as asked for."""

import json
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.checkpoints import CheckpointError, Checkpoints, checkpoint_name


class Trained:
    """Two variables and their checkpoints in a folder."""

    def __init__(self, folder, keep=2, **variables):
        self.w, self.n = tf.Variable(tf.zeros([40])), tf.Variable(0, dtype=tf.int64)
        trackable = tf.train.Checkpoint(**({"w": self.w, "n": self.n} | variables))
        self.checkpoints = Checkpoints(str(folder), trackable, keep)

    def save(self, updates, best=None):
        self.w.assign(np.random.default_rng(updates).normal(size=40))
        self.n.assign(updates)
        self.checkpoints.save(name(updates), {"position": updates, "best": best})

    def newest(self):
        """The position that is found, and whose variables are restored."""
        found, state = self.checkpoints.newest()
        self.checkpoints.restore(found)
        assert int(self.n) == state["position"]
        expected = np.random.default_rng(state["position"]).normal(size=40).astype(np.float32)
        np.testing.assert_array_equal(self.w.numpy(), expected)
        assert found == name(state["position"])
        return state["position"]


def name(updates) -> str:
    return checkpoint_name(updates, 0)


def folders(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_names_sort_by_age():
    ages = [(0, 0), (9, 0), (9, 1), (10, 1), (99_999, 2), (100_000, 2)]
    names = [checkpoint_name(*age) for age in ages]
    assert sorted(names) == names


def test_no_folder_is_no_checkpoint(tmp_path):
    trained = Trained(tmp_path / "none")
    assert trained.checkpoints.newest() is None
    assert trained.checkpoints.names() == []
    assert not (tmp_path / "none").exists()


def test_another_process_finds_what_was_saved(tmp_path):
    trained = Trained(tmp_path)
    trained.save(1)
    trained.save(2)
    assert Trained(tmp_path).newest() == 2


def test_state_comes_back_as_it_was(tmp_path):
    checkpoints = Trained(tmp_path).checkpoints
    state = {"totals": {"sum/loss": 0.1 + 0.2}, "steps": [1, 2], "text": "Ω", "best": None}
    checkpoints.save(name(1), state)
    assert checkpoints.newest() == (name(1), state)


def test_only_the_newest_stay(tmp_path):
    trained = Trained(tmp_path, keep=3)
    for updates in range(1, 8):
        trained.save(updates)
        assert folders(tmp_path) == [name(i) for i in range(max(1, updates - 2), updates + 1)]


def test_the_best_one_stays_as_long_as_it_is_the_best(tmp_path):
    trained = Trained(tmp_path, keep=1)
    trained.save(1, best=name(1))
    for updates in (2, 3):
        trained.save(updates, best=name(1))
        assert folders(tmp_path) == [name(1), name(updates)]
    trained.save(4, best=name(4))
    assert folders(tmp_path) == [name(4)]


def test_what_a_killed_write_left_is_not_seen_and_removed_by_the_next(tmp_path):
    trained = Trained(tmp_path)
    trained.save(1)
    trained.save(2)
    (tmp_path / name(2) / "state.json").rename(tmp_path / name(2) / "state.json.part")
    assert trained.checkpoints.names() == [name(1)]
    assert trained.newest() == 1
    trained.save(3)
    assert folders(tmp_path) == [name(1), name(3)]


def test_a_half_written_checkpoint_is_written_anew_under_its_name(tmp_path):
    trained = Trained(tmp_path)
    (tmp_path / name(1)).mkdir()
    (tmp_path / name(1) / "tensors.index").write_text("half")
    trained.save(1)
    assert trained.newest() == 1
    assert folders(tmp_path / name(1)) == [
        "state.json", "tensors.data-00000-of-00001", "tensors.index"
    ]  # fmt: skip


def test_what_is_not_ours_stays(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "other").mkdir()
    trained = Trained(tmp_path, keep=1)
    trained.save(1)
    trained.save(2)
    assert folders(tmp_path) == ["notes.txt", "other", name(2)]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def empty(path):
    path.write_bytes(b"")


def delete(path):
    path.unlink()


def flip_a_bit(place):
    def flip(path):
        data = bytearray(path.read_bytes())
        data[int(place * (len(data) - 1))] ^= 0x10
        path.write_bytes(data)

    return flip


DATA, INDEX, STATE = "tensors.data-00000-of-00001", "tensors.index", "state.json"
DAMAGES = {
    **{
        f"{file} {what}": (file, damage)
        for file in (DATA, INDEX)
        for what, damage in {
            "truncated": truncate,
            "empty": empty,
            "deleted": delete,
            **{f"with a bit flipped at {place}": flip_a_bit(place) for place in (0, 0.3, 0.6, 1)},
        }.items()
    },
    "state.json truncated": (STATE, truncate),
    "state.json empty": (STATE, empty),
    "state.json of something else": (STATE, lambda path: path.write_text('{"other": 1}')),
    "state.json of no dictionary": (STATE, lambda path: path.write_text("[1, 2]")),
    "state.json of no text": (STATE, lambda path: path.write_bytes(b"\xff\xfe\x00")),
}
damages = pytest.mark.parametrize(("file", "damage"), DAMAGES.values(), ids=DAMAGES.keys())


@damages
def test_a_broken_checkpoint_is_passed_over_with_a_warning(tmp_path, caplog, file, damage):
    trained = Trained(tmp_path)
    trained.save(1)
    trained.save(2)
    damage(tmp_path / name(2) / file)
    with caplog.at_level(logging.WARNING, "sciformer.training"):
        assert Trained(tmp_path).newest() == 1
    [record] = caplog.records
    assert f"checkpoint {tmp_path / name(2)} is broken, taking the one before" in record.message


@damages
def test_training_goes_on_over_a_broken_checkpoint(tmp_path, file, damage):
    trained = Trained(tmp_path)
    trained.save(1)
    trained.save(2)
    damage(tmp_path / name(2) / file)
    resumed = Trained(tmp_path)
    for updates in (2, 3):
        resumed.save(updates)
    assert resumed.newest() == 3
    assert folders(tmp_path) == [name(2), name(3)]


@pytest.mark.parametrize("file", [DATA, STATE])
def test_where_all_are_broken_the_user_is_told(tmp_path, file):
    trained = Trained(tmp_path)
    for updates in (1, 2):
        trained.save(updates)
        truncate(tmp_path / name(updates) / file)
    with pytest.raises(CheckpointError) as caught:
        trained.checkpoints.newest()
    assert f"none of the 2 checkpoints in {tmp_path} can be read" in str(caught.value)
    assert "Delete the folder to train from the start" in str(caught.value)


def test_a_checkpoint_whose_best_is_broken_is_passed_over(tmp_path):
    trained = Trained(tmp_path, keep=4)
    trained.save(1)
    trained.save(2)
    trained.save(3, best=name(2))
    truncate(tmp_path / name(2) / DATA)
    assert trained.newest() == 1


@pytest.mark.parametrize(
    "other",
    [{"w": tf.Variable(tf.zeros([41]))}, {"more": tf.Variable(0.0)}, {"w": tf.train.Checkpoint()}],
    ids=["another shape", "one variable more", "one variable fewer"],
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path, other):
    Trained(tmp_path).save(1)
    checkpoints = Trained(tmp_path, **other).checkpoints
    found, _ = checkpoints.newest()
    with pytest.raises(CheckpointError, match=f"{name(1)} is of another model or optimizer"):
        checkpoints.restore(found)


def test_a_keras_models_weights_come_back(tmp_path):
    def model():
        x = keras.Input((3,))
        return keras.Model(x, keras.layers.Dense(2)(x))

    def checkpoints(model):
        variables = tf.train.Checkpoint(model=[v.value for v in model.variables])
        return Checkpoints(str(tmp_path), variables, keep=1)

    saved, restored = model(), model()
    checkpoints(saved).save(name(1), {"best": None})
    checkpoints(restored).restore(name(1))
    for one, other in zip(saved.get_weights(), restored.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_state_is_json_that_people_can_read(tmp_path):
    Trained(tmp_path).save(5)
    state = json.loads((tmp_path / name(5) / STATE).read_text())
    assert state == {"position": 5, "best": None}
