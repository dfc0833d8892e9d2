import pytest
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks.step_profile.trace import kind_of, seconds_by_kind


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("MatMul", "matrix products"),
        ("_MklNativeFusedMatMul", "matrix products"),
        ("ResourceApplyAdam", "weight update, clipping"),
        ("_MklSoftmax", "softmax"),
        ("Mul", "element-wise and sums"),
    ],
)
def test_every_operation_has_a_kind(operation, kind):
    assert kind_of(operation) == kind


def test_operations_are_added_up_and_the_executors_own_events_left_out(tmp_path):
    space = xplane_pb2.XSpace()
    plane = space.planes.add(name="/host:CPU")
    line = plane.lines.add()
    events = [
        ("layer/MatMul:MatMul", 2e12),
        ("gradient/MatMul:_MklMatMul", 1e12),
        ("EagerLocalExecute: __inference__train_1", 9e12),
        ("ExecutorState::Process", 9e12),
        ("layer/mul:Mul", 0.5e12),
        ("TraceContext", 9e12),
    ]
    for i, (name, picoseconds) in enumerate(events):
        plane.event_metadata[i].name = name
        line.events.add(metadata_id=i, duration_ps=int(picoseconds))
    (tmp_path / "host.xplane.pb").write_bytes(space.SerializeToString())
    assert seconds_by_kind(tmp_path) == {"matrix products": 3.0, "element-wise and sums": 0.5}


def test_a_folder_without_a_trace_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        seconds_by_kind(tmp_path)
