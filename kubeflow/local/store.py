"""What ran, what it read and wrote: in ML Metadata, as on a cluster."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format, struct_pb2
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from kubeflow.local.executor_input import Artifacts
from pipeline.executions import output_artifacts

COMPLETE = mlmd.Execution.COMPLETE
CACHED = mlmd.Execution.CACHED
FAILED = mlmd.Execution.FAILED
SKIPPED = mlmd.Execution.CANCELED
_SCHEMA = "type_schema"


@dataclasses.dataclass(frozen=True)
class Done:
    """A step that is over.

    Attributes:
        state: COMPLETE, CACHED or SKIPPED.
        outputs: its artifacts.
    """

    state: int
    outputs: Artifacts


class Store:
    """An ML Metadata store in a SQLite file.

    Args:
        path: of the file; made if it is not there.
        pipeline: name.
        run: id.
    """

    def __init__(self, path: Path, pipeline: str, run: str):
        path.parent.mkdir(parents=True, exist_ok=True)
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(path)
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self._store = metadata_store.MetadataStore(config)
        self._execution_type = self._store.put_execution_type(
            mlmd.ExecutionType(
                name="system.ContainerExecution",
                properties=dict.fromkeys(("task", "run", "fingerprint"), mlmd.STRING),
            )
        )
        self._contexts = [
            self._context("system.Pipeline", pipeline),
            self._context("system.PipelineRun", f"{pipeline}/{run}"),
        ]
        self._run = run

    def _context(self, kind: str, name: str) -> mlmd.Context:
        type_id = self._store.put_context_type(mlmd.ContextType(name=kind))
        found = self._store.get_context_by_type_and_name(kind, name)
        if found is None:
            [context_id] = self._store.put_contexts([mlmd.Context(type_id=type_id, name=name)])
            [found] = self._store.get_contexts_by_id([context_id])
        return found

    def publish(
        self, task: str, fingerprint: str, state: int, inputs: Artifacts, outputs: Artifacts
    ) -> Artifacts:
        """Records a step that is over; returns its outputs with the names they have in the store."""
        execution = mlmd.Execution(type_id=self._execution_type, last_known_state=state)
        for key, value in (("task", task), ("run", self._run), ("fingerprint", fingerprint)):
            execution.properties[key].string_value = value
        pairs = [
            (self._artifact(one), _event(kind, key, index))
            for kind, artifacts in ((mlmd.Event.INPUT, inputs), (mlmd.Event.OUTPUT, outputs))
            for key, ones in artifacts.items()
            for index, one in enumerate(ones)
        ]
        self._store.put_execution(execution, pairs, self._contexts)
        return outputs

    def _artifact(self, one: dict[str, Any]) -> mlmd.Artifact:
        """The stored artifact of that name, or a new one."""
        title = title_of(one)
        type_id = self._store.put_artifact_type(
            mlmd.ArtifactType(name=title, properties={_SCHEMA: mlmd.STRING})
        )
        known = self._store.get_artifact_by_type_and_name(title, one["name"])
        if known is not None:
            return known
        artifact = mlmd.Artifact(
            type_id=type_id, name=one["name"], uri=one["uri"], state=mlmd.Artifact.LIVE
        )
        artifact.properties[_SCHEMA].string_value = json.dumps(one["type"])
        for key, value in one.get("metadata", {}).items():
            artifact.custom_properties[key].CopyFrom(_stored(value))
        return artifact

    def of_this_run(self, task: str, fingerprint: str) -> Done | None:
        """The same step of an earlier attempt at this run, if it was completed."""
        executions = self._store.get_executions_by_context(self._contexts[1].id)
        return self._latest(executions, fingerprint, task, {COMPLETE, CACHED})

    def of_any_run(self, task: str, fingerprint: str) -> Done | None:
        """The same step of another run of the pipeline, if it was completed."""
        executions = self._store.get_executions_by_context(self._contexts[0].id)
        return self._latest(executions, fingerprint, task, {COMPLETE})

    def _latest(
        self, executions: list[mlmd.Execution], fingerprint: str, task: str, states: set[int]
    ) -> Done | None:
        same = [
            one
            for one in executions
            if one.properties["fingerprint"].string_value == fingerprint
            and one.properties["task"].string_value == task
            and one.last_known_state in states
        ]
        if not same:
            return None
        last = max(same, key=lambda one: one.id)
        return Done(last.last_known_state, self._outputs(last.id))

    def _outputs(self, execution_id: int) -> Artifacts:
        made = output_artifacts(self._store, execution_id)
        return {key: [_runtime(one) for one in ones] for key, ones in made.items()}

    def artifacts(self, title: str) -> list[dict[str, Any]]:
        """All live artifacts of a type that this pipeline made, the newest first."""
        artifacts = [
            one
            for one in self._store.get_artifacts_by_context(self._contexts[0].id)
            if one.type == title and one.state == mlmd.Artifact.LIVE
        ]
        return [_runtime(one) for one in sorted(artifacts, key=lambda one: one.id, reverse=True)]


def title_of(artifact: dict[str, Any]) -> str:
    """The name of an artifact's type, e.g. `tfx.Model`."""
    kind = artifact["type"]
    return kind.get("schemaTitle") or yaml.safe_load(kind["instanceSchema"])["title"]


def _event(kind: int, key: str, index: int) -> mlmd.Event:
    steps = [mlmd.Event.Path.Step(key=key), mlmd.Event.Path.Step(index=index)]
    return mlmd.Event(type=kind, path=mlmd.Event.Path(steps=steps))


def _stored(value: Any) -> mlmd.Value:
    if isinstance(value, str):
        return mlmd.Value(string_value=value)
    if isinstance(value, bool):
        return mlmd.Value(bool_value=value)
    if isinstance(value, int | float):
        return mlmd.Value(double_value=value)
    return mlmd.Value(struct_value=json_format.ParseDict({"value": value}, struct_pb2.Struct()))


def _runtime(artifact: mlmd.Artifact) -> dict[str, Any]:
    """A RuntimeArtifact, as JSON."""
    metadata = {}
    for key, value in artifact.custom_properties.items():
        kind = value.WhichOneof("value")
        content = getattr(value, kind)
        is_struct = kind == "struct_value"
        metadata[key] = json_format.MessageToDict(content)["value"] if is_struct else content
    return {
        "name": artifact.name,
        "uri": artifact.uri,
        "type": json.loads(artifact.properties[_SCHEMA].string_value),
        "metadata": metadata,
    }
