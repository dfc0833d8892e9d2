"""Which pushed model a training starts from, on a real metadata store."""

from pathlib import Path

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.types.standard_artifacts import Examples, Model

from components.pusher.history import Change, Origin
from components.pusher.store import Store
from components.trainer.warm_start import LatestStableModelStrategy


class Lines:
    """Runs with examples and a model each, whose model may be pushed."""

    def __init__(self, folder):
        config = mlmd.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = metadata_store.MetadataStore(config)
        self.pushed = str(folder)
        self._node = self.store.put_execution_type(mlmd.ExecutionType(name="node"))
        self._run = self.store.put_context_type(mlmd.ContextType(name="pipeline_run"))
        self._types = {
            kind: self.store.put_artifact_type(mlmd.ArtifactType(name=kind.TYPE_NAME))
            for kind in (Examples, Model)
        }
        self.models: list[Model] = []
        self.examples: dict[str, Examples] = {}

    def run(self, name: str) -> None:
        [context] = self.store.put_contexts([mlmd.Context(type_id=self._run, name=name)])
        for key, kind in (("examples", Examples), ("model", Model)):
            [number] = self.store.put_artifacts(
                [mlmd.Artifact(type_id=self._types[kind], uri=f"/{key}/{name}")]
            )
            artifact = kind()
            artifact.set_mlmd_artifact(self.store.get_artifacts_by_id([number])[0])
            [execution] = self.store.put_executions([mlmd.Execution(type_id=self._node)])
            event = mlmd.Event(artifact_id=number, execution_id=execution, type=mlmd.Event.OUTPUT)
            event.path.steps.add(key=key)
            self.store.put_events([event])
            association = mlmd.Association(execution_id=execution, context_id=context)
            self.store.put_attributions_and_associations([], [association])
            if kind is Model:
                self.models.append(artifact)
            else:
                self.examples[name] = artifact

    def change(self, action: str, version: int, stable: int, canary=None) -> None:
        store = Store(self.pushed)
        if action == "push":
            Path(self.pushed, str(version)).mkdir(parents=True)
        origin = Origin(content=f"c{version}", model=f"/model/{version}")
        change = Change(
            action=action,
            version=version,
            stable=stable,
            canary=canary,
            origin=origin if action == "push" else None,
        )
        store.apply(change, None, 0)

    def resolve(self, current: str) -> list[str]:
        strategy = LatestStableModelStrategy(self.pushed)
        mine = [self.examples[current]]
        found = strategy.resolve_artifacts(self.store, {"model": self.models, "current": mine})
        assert found["current"] == mine
        return [model.uri for model in found["model"]]


@pytest.fixture
def lines(tmp_path) -> Lines:
    """Runs 1, 2 and 3, of which 1 and 2 were pushed and stable; 9 has new data."""
    made = Lines(tmp_path / "serving")
    for name in "1239":
        made.run(name)
    made.change("push", 1, stable=1)
    made.change("push", 2, stable=2)
    return made


def test_nothing_pushed_is_nothing_to_start_from(tmp_path):
    made = Lines(tmp_path / "serving")
    made.run("9")
    assert made.resolve("9") == []


def test_it_is_the_stable_one(lines):
    assert lines.resolve("9") == ["/model/2"]


def test_a_model_of_this_very_data_is_passed_over(lines):
    assert lines.resolve("2") == ["/model/1"]


def test_a_canary_is_not_started_from(lines):
    lines.change("push", 3, stable=2, canary=3)
    assert lines.resolve("9") == ["/model/2"]
    lines.change("promote", 3, stable=3)
    assert lines.resolve("9") == ["/model/3"]


def test_what_was_rolled_back_is_not_started_from(lines):
    lines.change("rollback", 2, stable=1)
    assert lines.resolve("9") == ["/model/1"]
