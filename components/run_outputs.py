"""What the run that made an artifact has put out, as the metadata store tells."""

from typing import Any

from ml_metadata.proto import metadata_store_pb2

_RUN = "pipeline_run"
_OUTPUTS = (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.DECLARED_OUTPUT)


def run_outputs(store: Any, artifact_id: int) -> dict[str, list[int]]:
    """Ids of all artifacts, by output key, of the latest run that gave an artifact."""
    executions = [
        event.execution_id
        for event in store.get_events_by_artifact_ids([artifact_id])
        if event.type in _OUTPUTS
    ]
    if not executions:
        return {}
    run = next(c for c in store.get_contexts_by_execution(max(executions)) if c.type == _RUN)
    ids = [execution.id for execution in store.get_executions_by_context(run.id)]
    outputs: dict[str, list[int]] = {}
    for event in store.get_events_by_execution_ids(ids):
        if event.type in _OUTPUTS:
            outputs.setdefault(event.path.steps[0].key, []).append(event.artifact_id)
    return outputs
