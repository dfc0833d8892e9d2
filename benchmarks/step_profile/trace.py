"""Which operations of a TensorFlow trace took the time."""

import collections
from pathlib import Path

from tensorflow.tsl.profiler.protobuf import xplane_pb2

# By how the operation's type begins; the first that fits counts.
_KINDS = {
    "matrix products": (
        "_MklMatMul",
        "_MklNativeFused",
        "_MklBatchMatMul",
        "MatMul",
        "BatchMatMul",
    ),
    "weight update, clipping": ("ResourceApply", "Assign", "L2Loss"),
    "bias gradients": ("BiasAddGrad",),
    "softmax": ("_MklSoftmax", "Softmax"),
    "random numbers": ("StatelessRandom",),
    "embeddings": ("Gather", "ResourceGather", "UnsortedSegmentSum"),
    "casts": ("Cast",),
    "transposes": ("_MklTranspose", "Transpose"),
    "element-wise and sums": ("",),
}
_CONTAINERS = (" ", "Run", "Process", "Start", "Done", "Root")  # of the executor


def kind_of(operation: str) -> str:
    """What an operation of this type does, in words."""
    return next(kind for kind, beginnings in _KINDS.items() if operation.startswith(beginnings))


def seconds_by_kind(folder: Path) -> dict[str, float]:
    """Seconds of the operations of each kind, from the newest trace that tf.profiler wrote.

    They add up over the threads that call operations; what oneDNN spreads over further threads counts once.

    Raises:
        FileNotFoundError: there is no trace in the folder.
    """
    files = sorted(folder.rglob("*.xplane.pb"))
    if not files:
        raise FileNotFoundError(f"{folder}: no *.xplane.pb: did the profiler run?")
    space = xplane_pb2.XSpace.FromString(files[-1].read_bytes())
    totals: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            _, colon, operation = name.rpartition(":")
            if colon and not operation.startswith(_CONTAINERS):  # "name:Type"
                totals[kind_of(operation)] += event.duration_ps / 1e12
    return dict(totals)
