"""What an execution in an MLMD store has made."""

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2


def output_artifacts(
    store: MetadataStore, execution_id: int
) -> dict[str, list[metadata_store_pb2.Artifact]]:
    """The artifacts that an execution put out, by output key, in their order."""
    events = [
        event
        for event in store.get_events_by_execution_ids([execution_id])
        if event.type == metadata_store_pb2.Event.OUTPUT
    ]
    artifacts = {
        artifact.id: artifact
        for artifact in store.get_artifacts_by_id([event.artifact_id for event in events])
    }
    outputs: dict[str, list[metadata_store_pb2.Artifact]] = {}
    for event in events:
        outputs.setdefault(event.path.steps[0].key, []).append(artifacts[event.artifact_id])
    return outputs
