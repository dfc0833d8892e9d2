"""Which versions are served, as folders and configurations come, break and go."""

import shutil
import threading

import grpc
import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving import model_config
from serving.calls import PredictCall
from serving.errors import ServingError
from serving.model_config import ModelConfig, VersionPolicy
from serving.model_manager import ModelManager
from serving.model_versions import Retries, State
from serving.servable import Servable


@pytest.fixture(scope="module")
def exported(tmp_path_factory, toy):
    """Versions 1, 2 and 3; the first says "short" of a short text, the others "long"."""
    folder = tmp_path_factory.mktemp("exported")
    return {
        version: toy(folder, version, offset, ["serving_text"])
        for version, offset in ((1, 0.0), (2, 100.0), (3, 100.0))
    }


@pytest.fixture
def push(exported, tmp_path):
    def push(version, as_version=None):
        beside = tmp_path / "beside"
        shutil.copytree(exported[version], beside)
        beside.rename(tmp_path / str(as_version or version))

    push(1)
    return push


@pytest.fixture
def base(tmp_path, push):
    return tmp_path


LATEST = VersionPolicy()


def manager_of(base, policy=LATEST, labels=None, tries=0, tags=("serve",), **settings):
    return ModelManager(
        [ModelConfig("toy", base, policy, labels or {})],
        lambda name, version, path: Servable(name, version, path, tags),
        Retries(tries, 0.0),
        **settings,
    )


def states(manager, name="toy"):
    return {status.version: status.state for status in manager.statuses(name)}


def break_version(base, version):
    folder = base / str(version)
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x0a\x7fhalf a copy")


def label_of(servable):
    call = PredictCall(servable, "serving_text", {"text": np.array([b"tiny"], object)}, ["label"])
    return call.respond(servable.run(call.feeds, call.fetches))["label"].tolist()[0]


def test_a_newer_version_replaces_the_old_whose_holders_can_finish(base, push):
    manager = manager_of(base)
    manager.look()
    old = manager.servable("toy")
    push(2)
    manager.look()
    new = manager.servable("toy")
    assert (old.version, new.version) == (1, 2)
    assert states(manager) == {2: State.AVAILABLE, 1: State.UNLOADING}
    assert label_of(old) == b"short"
    assert label_of(new) == b"long"
    with pytest.raises(ServingError, match=r"Specific\(toy, 1\)"):
        manager.servable("toy", version=1)
    del old
    assert states(manager) == {2: State.AVAILABLE, 1: State.END}


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
        lambda folder: shutil.rmtree(folder / "variables"),
        lambda folder: (folder / "variables" / "variables.data-00000-of-00001").unlink(),
        lambda folder: (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b""),
    ],
)
def test_each_missing_part_is_a_reason(base, exported, damage):
    manager = manager_of(base)
    manager.look()
    half = shutil.copytree(exported[2], base / "half")
    damage(half)
    half.rename(base / "2")
    manager.look()
    assert manager.servable("toy").version == 1
    assert manager.statuses("toy", 2)[0].error.message


def test_a_failing_version_is_tried_again_until_given_up(base, push):
    manager = manager_of(base, tries=2)
    manager.look()
    break_version(base, 2)
    manager.look()
    status = manager.statuses("toy", 2)[0]
    assert status.state is State.LOADING
    assert status.error is not None
    shutil.rmtree(base / "2")
    push(2)
    manager.look()
    assert manager.servable("toy").version == 2
    assert manager.statuses("toy", 2)[0].error is None


def test_a_version_given_up_is_left_alone_until_another_is_wanted(base, push):
    manager = manager_of(base)
    break_version(base, 2)
    manager.look()
    manager.look()
    assert states(manager) == {2: State.END}
    push(3)
    manager.look()
    assert manager.servable("toy").version == 3


def test_taking_the_newest_away_brings_the_older_back(base, push):
    manager = manager_of(base)
    push(2)
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


def test_only_numbers_are_versions(base):
    (base / "99-backup").mkdir()
    (base / "latest").mkdir()
    manager = manager_of(base)
    manager.look()
    assert states(manager) == {1: State.AVAILABLE}


def test_waiting_ends_with_the_reason_when_the_first_version_is_given_up(tmp_path):
    break_version(tmp_path, 1)
    manager = manager_of(tmp_path, tries=1, poll_seconds=0)
    manager.start()
    with pytest.raises(ServingError, match=r"did not become available.*version: 1.*Can't parse"):
        manager.wait_until_available(threading.Event())


def test_waiting_ends_when_the_server_is_stopped(tmp_path):
    (tmp_path / "none").mkdir()
    manager = manager_of(tmp_path / "none")
    manager.start()
    stop = threading.Event()
    stop.set()
    manager.wait_until_available(stop)
    manager.stop()


def test_tags_choose_the_graph(base):
    manager = manager_of(base, tags=("serve", "gpu"))
    manager.look()
    assert "supplied tags: { serve gpu }" in manager.statuses("toy", 1)[0].error.message


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        (VersionPolicy(), {3}),
        (VersionPolicy(latest=2), {2, 3}),
        (VersionPolicy("all"), {1, 2, 3}),
        (VersionPolicy("specific", specific=frozenset({1, 3, 9})), {1, 3}),
    ],
)
def test_policies_choose_versions(base, push, policy, served):
    push(2)
    push(3)
    manager = manager_of(base, policy)
    manager.look()
    assert states(manager) == dict.fromkeys(served, State.AVAILABLE)
    assert {manager.servable("toy", v).version for v in served} == served


def config(base, **changes):
    return ModelConfig(**{"name": "toy", "base_path": base, **changes})


def test_labels_name_available_versions_only(base, push):
    push(2)
    manager = manager_of(base, VersionPolicy("all"))
    manager.look()
    both = {"stable": 1, "canary": 2}
    manager.reload([config(base, policy=VersionPolicy("all"), labels=both)])
    assert manager.servable("toy", label="stable").version == 1
    assert manager.servable("toy", label="canary").version == 2
    with pytest.raises(ServingError, match="assign label to version 3 of model toy, which is not"):
        manager.reload([config(base, policy=VersionPolicy("all"), labels={"stable": 3})])
    assert manager.servable("toy", label="stable").version == 1  # nothing was changed
    with pytest.raises(ServingError, match="Unrecognized servable version label: old"):
        manager.servable("toy", label="old")


def test_a_first_configuration_with_labels_needs_leave(base, push):
    labels = {"stable": 1}
    with pytest.raises(ServingError, match="not currently available for inference") as caught:
        manager_of(base, labels=labels)
    assert caught.value.code is grpc.StatusCode.FAILED_PRECONDITION
    manager = manager_of(base, labels=labels, early_labels=True)
    manager.look()
    assert manager.servable("toy", label="stable").version == 1
    with pytest.raises(ServingError, match="to version 2"):  # a label in use may not wait
        manager.reload([config(base, labels={"stable": 2})])


def test_a_reload_brings_models_and_takes_them_away(base, push):
    manager = manager_of(base)
    manager.look()
    manager.reload([config(base, name="other")])
    assert manager.servable("other").version == 1
    with pytest.raises(ServingError, match=r"Latest\(toy\)"):
        manager.servable("toy")
    assert states(manager) == {1: State.END}


def test_a_reload_says_why_a_new_model_is_not_available(base, tmp_path_factory):
    manager = manager_of(base)
    manager.look()
    empty = tmp_path_factory.mktemp("empty")
    broken = tmp_path_factory.mktemp("broken")
    break_version(broken, 4)
    with pytest.raises(ServingError) as caught:
        manager.reload([config(base), config(empty, name="empty"), config(broken, name="broken")])
    assert caught.value.code is grpc.StatusCode.UNKNOWN
    assert "2 model(s) did not become available" in caught.value.message
    assert "{name: broken version: 4} due to error: DATA_LOSS: Can't parse" in caught.value.message
    assert "No versions of servable empty found" in caught.value.message
    assert manager.servable("toy").version == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{name: "m" base_path: "m" model_platform: "tensorflow"}', "to have an absolute path"),
        ('{name: "m" base_path: "/m"}', "setting neither ModelServerConfig::model_type"),
        ('{name: "m" base_path: "/m" model_platform: "torch"}', "unsupported platform torch"),
        (
            '{name: "m" base_path: "/m" model_platform: "tensorflow"}'
            'config {name: "m" base_path: "/n" model_platform: "tensorflow"}',
            "Illegal to list model m multiple times",
        ),
    ],
)
def test_configurations_that_tensorflow_serving_refuses(text, words):
    message = text_format.Parse(
        f"model_config_list {{ config {text} }}", model_server_config_pb2.ModelServerConfig()
    )
    with pytest.raises(ServingError, match=words):
        model_config.from_proto(message)
