"""The runner on three small components: order, cache, failure."""

import pytest
from tfx import v1 as tfx
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.types import Channel
from tfx.types.standard_artifacts import Integer

from pipeline.local_runner import CACHED, FAILED, RAN, LocalRunner


@tfx.dsl.components.component
def Give(
    number: tfx.dsl.components.OutputArtifact[Integer], value: tfx.dsl.components.Parameter[int]
):
    number.value = value


@tfx.dsl.components.component
def Invert(
    number: tfx.dsl.components.InputArtifact[Integer],
    inverse: tfx.dsl.components.OutputArtifact[Integer],
    times: tfx.dsl.components.Parameter[int],
):
    inverse.value = times // number.value


@tfx.dsl.components.component
def Show(inverse: tfx.dsl.components.InputArtifact[Integer]):
    print(f"the inverse is {inverse.value}")


class Recorder:
    """A listener that writes down what it is told."""

    def __init__(self):
        self.told = []

    def started(self, node):
        self.told.append(f"{node} started")

    def ended(self, run):
        self.told.append(f"{run.node} {run.state}")


@pytest.fixture
def run(tmp_path):
    """(value, times) → the runs and what the listener was told; every call is a run of one pipeline."""
    numbers = iter(range(100))

    def run_once(value=4, times=100):
        give = Give(value=value)
        invert = Invert(number=give.outputs["number"], times=times)
        earlier = Resolver(
            strategy_class=LatestArtifactStrategy, number=Channel(type=Integer)
        ).with_id("Earlier")
        earlier.add_upstream_node(invert)
        show = Show(inverse=invert.outputs["inverse"])
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="small",
            pipeline_root=str(tmp_path / "artifacts"),
            components=[show, earlier, invert, give],  # not in their order
            enable_cache=True,
            metadata_connection_config=sqlite_metadata_connection_config(str(tmp_path / "db")),
        )
        recorder = Recorder()
        runner = LocalRunner(f"run-{next(numbers)}", recorder)
        runner.run(pipeline)
        return runner.runs, recorder.told

    return run_once


def states(runs):
    return {node.node: node.state for node in runs}


def value(node, key):
    [artifact] = node.outputs[key]
    with open(artifact.uri) as file:
        return int(file.read())


def test_components_run_in_the_order_of_their_data(run):
    runs, told = run()
    assert told == [
        "Give started",
        "Give ran",
        "Invert started",
        "Invert ran",
        "Show started",
        "Show ran",
    ]  # a resolver does no work of its own
    assert [node.node for node in runs] == ["Give", "Invert", "Show"]
    assert (value(runs[0], "number"), value(runs[1], "inverse")) == (4, 25)
    assert runs[2].outputs == {}
    assert all(node.seconds > 0 and node.error is None for node in runs)


def test_nothing_changed_means_all_from_the_cache(run):
    first, _ = run()
    second, told = run()
    assert states(second) == dict.fromkeys(["Give", "Invert", "Show"], CACHED)
    assert told[:2] == ["Give started", "Give cached"]
    assert [node.outputs for node in second] == [node.outputs for node in first]


def test_a_change_runs_its_component_and_those_after_it(run):
    run(times=100)
    second, _ = run(times=40)
    assert states(second) == {"Give": CACHED, "Invert": RAN, "Show": RAN}
    assert value(second[1], "inverse") == 10


def test_a_failure_stops_the_line_with_the_components_error(run):
    runs, told = run(value=0)
    assert states(runs) == {"Give": RAN, "Invert": FAILED}
    assert isinstance(runs[1].error, ZeroDivisionError)
    assert runs[1].outputs == {}
    assert told[-1] == "Invert failed"


def test_a_failed_component_is_not_cached(run):
    run(value=0)
    again, _ = run(value=0)
    assert states(again) == {"Give": CACHED, "Invert": FAILED}
    mended, _ = run(value=5)
    assert states(mended) == {"Give": RAN, "Invert": RAN, "Show": RAN}
    assert value(mended[1], "inverse") == 20
