"""Which model a batch of texts is put to."""

import dataclasses
from pathlib import Path

from tensorflow.core.protobuf import saved_model_pb2

from components.manifest import content_hash, measure
from components.prediction_writer.answers import task_of
from components.pusher.store import Store
from models.config import TaskName
from pipeline.configs import PipelineConfig, local_paths
from pipeline.predict import stable_version

_SIGNATURE = "serving_default"
_GRAPH = "saved_model.pb"


class BatchModelError(Exception):
    """There is no such model, or it is none that answers."""


@dataclasses.dataclass(frozen=True)
class BatchModel:
    """A model that can be asked.

    Attributes:
        path: absolute, of the folder with `saved_model.pb`.
        version: the folder's name.
        sha256: of the names and contents of its files, 64 hex digits.
        task: what its answers are.
    """

    path: Path
    version: str
    sha256: str
    task: TaskName


def find_batch_model(config: PipelineConfig, wanted: str | None = None) -> BatchModel:
    """Finds a model and looks into it.

    Args:
        config: whose pushed models are meant.
        wanted: a version, or the folder of a SavedModel; what is served now by default.

    Raises:
        BatchModelError: there is no such model, or its `serving_default` gives no answers of a classifier.
        pipeline.predict.PredictError: none is wanted, and nothing was pushed yet.
    """
    path = (_wanted(config, wanted) if wanted else stable_version(config)).resolve()
    # Measured, not read from the version's manifest: it is kept as the hash of what answered, and decides
    # whether earlier answers are taken from the cache, so files that were changed since must change it.
    return BatchModel(path, path.name, content_hash(measure(str(path))), _task(path))


def _wanted(config: PipelineConfig, wanted: str) -> Path:
    store = Store(str(local_paths(config)["serving"]))
    path = Path(store.path(int(wanted)) if wanted.isdigit() else wanted)
    if (path / _GRAPH).is_file():
        return path
    there = ", ".join(map(str, store.versions())) or "none"
    raise BatchModelError(f"no {_GRAPH} in {path}; pushed versions: {there}")


def _task(path: Path) -> TaskName:
    model = saved_model_pb2.SavedModel.FromString((path / _GRAPH).read_bytes())
    signatures = {
        name: sorted(signature.outputs)
        for graph in model.meta_graphs
        for name, signature in graph.signature_def.items()
    }
    task = task_of(signatures.get(_SIGNATURE, ()))
    if task is None:
        found = "; ".join(f"{name}: {', '.join(outputs)}" for name, outputs in signatures.items())
        raise BatchModelError(
            f"{path} has no signature {_SIGNATURE} with the answers of a classifier; it has {found}"
        )
    return task
