"""Which earlier data is compared with, on a real metadata store."""

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, ModelBlessing

from components.data_validator.earlier import LatestBlessedDataStrategy

TYPES = {"statistics": ExampleStatistics, "anomalies": ExampleAnomalies}
TYPES["model_blessing"] = ModelBlessing


class Store:
    """Runs written down as TFX does: executions in the run's context, events with output keys."""

    def __init__(self):
        config = mlmd.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = metadata_store.MetadataStore(config)
        self.ids = {
            key: self.store.put_artifact_type(mlmd.ArtifactType(name=kind.TYPE_NAME))
            for key, kind in TYPES.items()
        }
        self._node = self.store.put_execution_type(mlmd.ExecutionType(name="node"))
        self._run = self.store.put_context_type(mlmd.ContextType(name="pipeline_run"))
        self._pipeline = self.store.put_context_type(mlmd.ContextType(name="pipeline"))
        [self._line] = self.store.put_contexts([mlmd.Context(type_id=self._pipeline, name="line")])
        self.artifacts = {key: [] for key in TYPES}

    def artifact(self, key, blessed=None) -> int:
        found = mlmd.Artifact(type_id=self.ids[key], uri=f"/{key}")
        if blessed is not None:
            found.custom_properties["blessed"].int_value = int(blessed)
        [number] = self.store.put_artifacts([found])
        artifact = TYPES[key]()
        artifact.set_mlmd_artifact(self.store.get_artifacts_by_id([number])[0])
        self.artifacts[key].append(artifact)
        return number

    def run(self, name, **outputs) -> None:
        """A run with an execution for each output, an artifact's id by key."""
        [run] = self.store.put_contexts([mlmd.Context(type_id=self._run, name=name)])
        for key, artifact in outputs.items():
            [execution] = self.store.put_executions([mlmd.Execution(type_id=self._node)])
            event = mlmd.Event(artifact_id=artifact, execution_id=execution, type=mlmd.Event.OUTPUT)
            event.path.steps.add(key=key)
            self.store.put_events([event])
            self.store.put_attributions_and_associations(
                [],
                [mlmd.Association(execution_id=execution, context_id=c) for c in (self._line, run)],
            )

    def blessed_run(self, name, blessed=True) -> dict[str, int]:
        ids = {key: self.artifact(key) for key in ("statistics", "anomalies")}
        ids["model_blessing"] = self.artifact("model_blessing", blessed)
        self.run(name, **ids)
        return ids

    def resolve(self, current: int) -> dict[str, list[int]]:
        """Ids of what is resolved for a run with these statistics."""
        mine = [a for a in self.artifacts["statistics"] if a.id == current]
        resolved = LatestBlessedDataStrategy().resolve_artifacts(
            self.store, {**self.artifacts, "current": mine}
        )
        assert resolved.pop("current") == mine
        return {key: [artifact.id for artifact in found] for key, found in resolved.items()}


NONE = {"statistics": [], "anomalies": [], "model_blessing": []}


@pytest.fixture
def store() -> Store:
    return Store()


def listed(ids):
    return {key: [number] for key, number in ids.items()}


def test_nothing_on_the_first_run(store):
    assert store.resolve(store.artifact("statistics")) == NONE


def test_the_latest_blessed_run_with_its_own_artifacts(store):
    store.blessed_run("first")
    second = store.blessed_run("second")
    store.blessed_run("refused", blessed=False)
    assert store.resolve(store.artifact("statistics")) == listed(second)


def test_the_same_data_is_not_compared_with_itself(store):
    """A second run of an unchanged pipeline has the first one's cached statistics."""
    first = store.blessed_run("first")
    assert store.resolve(first["statistics"]) == NONE
    second = store.blessed_run("second")
    assert store.resolve(second["statistics"]) == listed(first)
    store.run("second again", **second)  # cached
    assert store.resolve(second["statistics"]) == listed(first)
    assert store.resolve(first["statistics"]) == listed(second)


def test_other_artifacts_of_the_same_kind_are_left_alone(store):
    """Transform writes statistics and anomalies, too, under other keys."""
    first = store.blessed_run("first")
    others = {"pre_transform_stats": store.artifact("statistics")}
    store.run("first's transform", **others)
    assert store.resolve(store.artifact("statistics")) == listed(first)


def test_a_run_without_anomalies_still_gives_its_statistics(store):
    ids = {"statistics": store.artifact("statistics")}
    ids["model_blessing"] = store.artifact("model_blessing", True)
    store.run("old", **ids)
    assert store.resolve(store.artifact("statistics")) == {**listed(ids), "anomalies": []}
