"""Which version is served, as folders come, break and go."""

import shutil
import threading

import grpc
import pytest
import tensorflow as tf

from serving.errors import ServingError
from serving.flags import ServerFlags
from serving.model_manager import ModelManager, State


@pytest.fixture
def base(tmp_path, toy):
    toy(tmp_path, 1)
    return tmp_path


def manager_of(base, **flags):
    defaults = {"max_num_load_retries": 0, "load_retry_interval_micros": 0}
    return ModelManager(ServerFlags(str(base), "toy", **{**defaults, **flags}))


def states(manager):
    return {status.version: status.state for status in manager.statuses("toy")}


def break_version(base, version):
    folder = base / str(version)
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x0a\x7fhalf a copy")


def test_a_newer_version_replaces_the_old_whose_holders_can_finish(base, toy):
    manager = manager_of(base)
    manager.look()
    old = manager.servable("toy")
    toy(base, 2, offset=100.0)
    manager.look()
    new = manager.servable("toy")
    assert (old.version, new.version) == (1, 2)
    assert states(manager) == {2: State.AVAILABLE, 1: State.END}
    text = {"text": tf.constant(["tiny"])}
    assert old.predict("serving_text", text)["label"].tolist() == [b"short"]
    assert new.predict("serving_text", text)["label"].tolist() == [b"long"]
    with pytest.raises(ServingError, match=r"Specific\(toy, 1\)"):
        manager.servable("toy", version=1)


def test_a_broken_version_is_never_served_and_status_says_why(base):
    manager = manager_of(base)
    manager.look()
    break_version(base, 2)
    manager.look()
    assert manager.servable("toy").version == 1
    newest, oldest = manager.statuses("toy")
    assert (newest.version, newest.state) == (2, State.END)
    assert newest.error.code is grpc.StatusCode.DATA_LOSS
    assert "Can't parse" in newest.error.message
    assert (oldest.version, oldest.state, oldest.error) == (1, State.AVAILABLE, None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "saved_model.pb").unlink(),
        lambda folder: (folder / "variables" / "variables.index").unlink(),
        lambda folder: (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b""),
    ],
)
def test_each_missing_part_is_a_reason(base, toy, damage):
    manager = manager_of(base)
    manager.look()
    toy(base / "..", 2)
    damage(base / ".." / "2")
    (base / ".." / "2").rename(base / "2")
    manager.look()
    assert manager.servable("toy").version == 1
    assert manager.statuses("toy", 2)[0].error.message


def test_a_failing_version_is_tried_again_until_given_up(base, toy, tmp_path_factory):
    manager = manager_of(base, max_num_load_retries=2)
    manager.look()
    break_version(base, 2)
    manager.look()
    status = manager.statuses("toy", 2)[0]
    assert status.state is State.LOADING
    assert status.error is not None
    mended = tmp_path_factory.mktemp("mended")
    toy(mended, 2)
    shutil.rmtree(base / "2")
    (mended / "2").rename(base / "2")
    manager.look()
    assert manager.servable("toy").version == 2
    assert manager.statuses("toy", 2)[0].error is None


def test_a_version_given_up_is_left_alone_until_another_is_wanted(base, toy):
    manager = manager_of(base)
    break_version(base, 2)
    manager.look()
    manager.look()
    assert states(manager) == {2: State.END}
    toy(base, 3)
    manager.look()
    assert manager.servable("toy").version == 3


def test_taking_the_newest_away_brings_the_older_back(base, toy):
    manager = manager_of(base)
    toy(base, 2)
    manager.look()
    shutil.rmtree(base / "2")
    manager.look()
    assert manager.servable("toy").version == 1
    assert states(manager) == {2: State.END, 1: State.AVAILABLE}


def test_without_any_version_nothing_is_served(base):
    manager = manager_of(base)
    manager.look()
    shutil.rmtree(base / "1")
    manager.look()
    with pytest.raises(ServingError, match=r"Latest\(toy\)"):
        manager.servable("toy")


def test_a_folder_out_of_reach_leaves_what_is_served(base):
    manager = manager_of(base)
    manager.look()
    base.rename(base.with_name("elsewhere"))
    manager.look()
    assert manager.servable("toy").version == 1


def test_only_numbers_are_versions(base, toy):
    (base / "99-backup").mkdir()
    (base / "latest").mkdir()
    manager = manager_of(base)
    manager.look()
    assert states(manager) == {1: State.AVAILABLE}


def test_waiting_ends_with_the_reason_when_the_first_version_is_given_up(tmp_path):
    break_version(tmp_path, 1)
    manager = manager_of(tmp_path, max_num_load_retries=1, file_system_poll_wait_seconds=0)
    manager.start()
    with pytest.raises(ServingError, match=r"did not become available.*version: 1.*Can't parse"):
        manager.wait_until_available(threading.Event())


def test_waiting_ends_when_the_server_is_stopped(tmp_path):
    manager = manager_of(tmp_path)
    manager.start()
    stop = threading.Event()
    stop.set()
    manager.wait_until_available(stop)
    manager.stop()


def test_tags_choose_the_graph(base):
    manager = manager_of(base, saved_model_tags="serve,gpu")
    manager.look()
    assert "supplied tags: { serve gpu }" in manager.statuses("toy", 1)[0].error.message
