"""Resolver nodes, as TFX compiles its two strategies, against the metadata store."""

import pytest
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as dag_runner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from kubeflow.compile import write_ir
from kubeflow.local.executor import LocalExecutor
from kubeflow.local.ir import read_ir
from kubeflow.local.processes import Fresh
from kubeflow.local.resolvers import QueryError, resolve
from kubeflow.local.store import COMPLETE, Store


def kind(name: str) -> dict:
    return {"instanceSchema": f"title: tfx.{name}\ntype: object\n"}


def artifact(name: str, of: str, **metadata) -> dict:
    return {"name": name, "uri": f"/{name}", "type": kind(of), "metadata": metadata}


@pytest.fixture
def store(tmp_path):
    """Three models; the second is blessed, the third is not."""
    store = Store(tmp_path / "root" / "metadata.sqlite", "resolving", "earlier")
    for number, blessed in ((1, 1), (2, 1), (3, 0)):
        outputs = {
            "model": [artifact(f"m{number}", "Model")],
            "blessing": [
                artifact(
                    f"b{number}", "ModelBlessing", blessed=blessed, current_model_id=f"m{number}"
                )
            ],
        }
        store.publish("t", str(number), COMPLETE, {}, outputs)
    return store


@pytest.fixture
def resolved(tmp_path):
    """A function of a resolver: what it resolves to in a run of its compiled form."""

    def run(node: Resolver) -> dict[str, list[str]]:
        pipeline = Pipeline("resolving", str(tmp_path), components=[node])
        settings = dag_runner.KubeflowV2DagRunnerConfig(
            default_image="i", use_pipeline_spec_2_1=True
        )
        job = dag_runner.KubeflowV2DagRunner(settings).run(pipeline, write_out=False)
        write_ir(job, {}, tmp_path / "p.yaml")
        ir = read_ir(tmp_path / "p.yaml")
        runs = LocalExecutor(ir, tmp_path / "root", Fresh(tmp_path)).run("later", {})
        assert {run.state for run in runs.values()} == {"resolved"}
        return {
            key: [one["name"] for one in ones]
            for run in runs.values()
            for key, ones in run.outputs.items()
        }

    return run


def latest_blessed() -> Resolver:
    return Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id("latest_blessed")


def test_latest_blessed_model(store, resolved):
    assert resolved(latest_blessed()) == {"model": ["m2"], "model_blessing": ["b2"]}


def test_latest_artifact(store, resolved):
    node = Resolver(strategy_class=LatestArtifactStrategy, model=Channel(type=Model))
    assert resolved(node.with_id("latest")) == {"model": ["m3"]}


def test_nothing_was_blessed(resolved):
    assert resolved(latest_blessed()) == {"model": [], "model_blessing": []}


def test_other_pipelines_are_not_looked_at(tmp_path, resolved):
    other = Store(tmp_path / "root" / "metadata.sqlite", "other", "r")
    other.publish("t", "", COMPLETE, {}, {"model": [artifact("x", "Model")]})
    node = Resolver(strategy_class=LatestArtifactStrategy, model=Channel(type=Model))
    assert resolved(node.with_id("latest")) == {"model": []}


@pytest.mark.parametrize("query", ["schema_title", 'schema_title="tfx.Model" AND uri="x"'])
def test_other_queries_are_refused(store, query):
    resolver = {"outputArtifactQueries": {"model": {"filter": query}}}
    with pytest.raises(QueryError):
        resolve(resolver, {"artifacts": {}}, store)
