"""One word makes a strategy, and an error says what is missing."""

import json
import types

import pytest
import tensorflow as tf

from models.config import TrainingConfig
from models.examples import Examples
from models.strategy import StrategyError, create_strategy, is_chief
from models.training import fit


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No cluster and no TPU, whatever the machine has."""
    for variable in ("TF_CONFIG", "TPU_NAME"):
        monkeypatch.delenv(variable, raising=False)


def cluster(monkeypatch, jobs, task="worker", index=0):
    names = {job: [f"127.0.0.1:{9000 + i}" for i in range(count)] for job, count in jobs.items()}
    config = {"cluster": names, "task": {"type": task, "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))


@pytest.mark.parametrize("name", ["auto", "one_device"])
def test_one_cpu_is_the_default_strategy(name):
    strategy = create_strategy(name)
    assert strategy is tf.distribute.get_strategy()
    assert strategy.num_replicas_in_sync == 1
    assert is_chief(strategy)


def test_mirrored_takes_all_devices_there_are():
    strategy = create_strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert strategy.num_replicas_in_sync == len(tf.config.list_logical_devices("CPU"))
    assert is_chief(strategy)


def test_a_process_has_one_mirrored_strategy():
    assert create_strategy("mirrored") is create_strategy("mirrored")


def test_auto_takes_several_workers_of_tf_config(monkeypatch):
    cluster(monkeypatch, {"worker": 2})
    with pytest.raises(
        StrategyError, match=r"strategy multi_worker: .* has to be made before this"
    ):
        create_strategy("auto")


def test_a_chief_and_a_worker_are_several_workers(monkeypatch):
    cluster(monkeypatch, {"chief": 1, "worker": 1})
    with pytest.raises(StrategyError, match="strategy multi_worker"):
        create_strategy("auto")


@pytest.mark.parametrize("jobs", [{"worker": 1}, {"worker": 1, "evaluator": 1}, {}])
def test_auto_takes_one_device_for_one_worker(monkeypatch, jobs):
    cluster(monkeypatch, jobs)
    assert create_strategy("auto") is tf.distribute.get_strategy()


def test_multi_worker_without_workers_says_what_tf_config_should_hold():
    with pytest.raises(StrategyError) as caught:
        create_strategy("multi_worker")
    assert "TF_CONFIG names no worker" in str(caught.value)
    assert '"task": {"type": "worker", "index": 0}' in str(caught.value)


def test_multi_worker_in_a_process_that_used_tensorflow_says_so(monkeypatch):
    tf.constant(1) + 1
    cluster(monkeypatch, {"worker": 2})
    with pytest.raises(StrategyError, match="start each worker as a process of its own"):
        create_strategy("multi_worker")


# TPUs: there is none here, so what TensorFlow would do with one is written down instead.


@pytest.fixture
def tpu(monkeypatch):
    calls = []

    def record(module, name, result=None):
        def call(*args):
            calls.append((name, *args))
            return result

        monkeypatch.setattr(module, name, call)

    record(tf.distribute.cluster_resolver, "TPUClusterResolver", result="a resolver")
    record(tf.config, "experimental_connect_to_cluster")
    record(tf.tpu.experimental, "initialize_tpu_system")
    record(tf.distribute, "TPUStrategy", result="a strategy")
    return calls


@pytest.mark.parametrize("name", ["tpu", "auto"])
def test_a_tpu_is_connected_and_initialized_before_its_strategy_is_made(tpu, monkeypatch, name):
    if name == "auto":
        monkeypatch.setenv("TPU_NAME", "node-1")
    assert create_strategy(name) == "a strategy"
    assert tpu == [
        ("TPUClusterResolver",),
        ("experimental_connect_to_cluster", "a resolver"),
        ("initialize_tpu_system", "a resolver"),
        ("TPUStrategy", "a resolver"),
    ]


def test_several_workers_come_before_a_tpu(tpu, monkeypatch):
    monkeypatch.setenv("TPU_NAME", "node-1")
    cluster(monkeypatch, {"worker": 2})
    with pytest.raises(StrategyError, match="strategy multi_worker"):
        create_strategy("auto")
    assert tpu == []


def test_a_missing_tpu_is_told():
    with pytest.raises(StrategyError, match=r"strategy tpu: no TPU was found .* set TPU_NAME"):
        create_strategy("tpu")


def test_a_tpu_that_cannot_be_asked_for_is_told(monkeypatch):
    def unreachable():
        raise ConnectionRefusedError("no metadata server")

    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", unreachable)
    monkeypatch.setenv("TPU_NAME", "node-1")
    with pytest.raises(StrategyError, match=r"no TPU was found .no metadata server.; set TPU_NAME"):
        create_strategy("auto")


def test_float16_on_a_tpu_found_by_auto_is_refused(tmp_path):
    tpu = object.__new__(tf.distribute.TPUStrategy)  # there is none to initialize it with
    examples = Examples.from_rows([[5, 6]], [0])
    config = TrainingConfig(precision="mixed_float16")
    with pytest.raises(StrategyError, match="use mixed_bfloat16"):
        fit(None, examples, examples, config, tmp_path, tpu)


# Who writes


@pytest.mark.parametrize(
    ("jobs", "task", "index", "expected"),
    [
        ({"worker": 2}, "worker", 0, True),
        ({"worker": 2}, "worker", 1, False),
        ({"chief": 1, "worker": 1}, "chief", 0, True),
        ({"chief": 1, "worker": 1}, "worker", 0, False),
        ({"worker": 1, "evaluator": 1}, "evaluator", 0, False),
        ({}, "worker", 0, True),
    ],
)
def test_one_process_is_the_chief(monkeypatch, jobs, task, index, expected):
    cluster(monkeypatch, jobs, task, index)
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    assert is_chief(types.SimpleNamespace(cluster_resolver=resolver)) is expected
