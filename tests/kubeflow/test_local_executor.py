"""The local executor on small pipelines, whose steps are real processes."""

import json

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

from kubeflow.local.executor import LocalExecutor, StepFailed
from kubeflow.local.ir import IrError, fill_parameters, read_ir
from kubeflow.local.processes import Fresh

MAKE = {"code": "write('out', 'a'); tell({'out': {'rows': 3, 'name': 'n'}})", "outputs": ["out"]}
CACHED = {"cachingOptions": {"enableCache": True}}


@pytest.fixture
def run(tmp_path):
    """A function that runs a pipeline file; what a step appends to its file `count` is seen in `folder`."""

    def start(path, run_id="r", **parameters):
        ir = read_ir(path)
        executor = LocalExecutor(ir, tmp_path / "root", Fresh(tmp_path))
        return executor.run(run_id, fill_parameters(ir, parameters))

    return start


def states(runs):
    return {name: run.state for name, run in runs.items()}


def counting(name: str) -> str:
    return f"open({name!r}, 'a').write('x'); "


def test_artifacts_and_what_is_said_of_them_are_fed_along(write_pipeline, run, tmp_path):
    take = {
        "code": (
            "metadata = said['inputs']['artifacts']['m']['artifacts'][0]['metadata']\n"
            "write('out', read('m') + 'b' + json.dumps(metadata, sort_keys=True))"
        ),
        "inputs": {"m": ("z_make", "out")},
        "outputs": ["out"],
    }
    runs = run(write_pipeline({"a_take": take, "z_make": MAKE}))
    assert list(runs) == ["z_make", "a_take"]  # by what they need, not by name
    [artifact] = runs["a_take"].outputs["out"]
    assert (tmp_path / artifact["uri"] / "x").read_text() == 'ab{"name": "n", "rows": 3}'


def test_all_is_in_the_metadata_store(write_pipeline, run, tmp_path):
    take = {"code": "", "inputs": {"m": ("make", "out")}}
    run(write_pipeline({"make": MAKE, "take": take}))
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(tmp_path / "root" / "metadata.sqlite")
    store = metadata_store.MetadataStore(config)
    [artifact] = store.get_artifacts_by_type("tfx.Model")
    assert artifact.custom_properties["rows"].double_value == 3
    events = store.get_events_by_artifact_ids([artifact.id])
    assert sorted(event.type for event in events) == [
        metadata_store_pb2.Event.INPUT,
        metadata_store_pb2.Event.OUTPUT,
    ]
    assert {context.name for context in store.get_contexts()} == {"p", "p/r"}


def test_a_failure_stops_the_run_and_shows_the_log(write_pipeline, run, tmp_path):
    bad = {"code": "sys.exit('cannot go on')", "dependentTasks": ["make"]}
    after = {"code": counting("after"), "dependentTasks": ["bad"]}
    path = write_pipeline({"make": MAKE, "bad": bad, "after": after})
    with pytest.raises(StepFailed, match=r"(?s)bad ended with exit code 1; its log .*cannot go on"):
        run(path)
    assert not (tmp_path / "after").exists()


def test_a_run_that_was_ended_goes_on(write_pipeline, run, tmp_path):
    first = {**MAKE, "code": counting("first") + MAKE["code"]}
    second = {
        "code": "if not pathlib.Path('mended').exists(): sys.exit(1)",
        "inputs": {"m": ("first", "out")},
    }
    path = write_pipeline({"first": first, "second": second})
    with pytest.raises(StepFailed):
        run(path)
    (tmp_path / "mended").touch()
    assert states(run(path)) == {"first": "resumed", "second": "ran"}
    assert (tmp_path / "first").read_text() == "x"


def test_retries(write_pipeline, run, tmp_path):
    code = counting("tries") + "sys.exit(len(open('tries').read()) < 3)"
    path = write_pipeline({"step": {"code": code, "retryPolicy": {"maxRetryCount": 2}}})
    assert states(run(path)) == {"step": "ran"}
    assert (tmp_path / "tries").read_text() == "xxx"


def test_a_step_that_takes_too_long_is_ended_with_what_it_started(write_pipeline, run, tmp_path):
    code = (
        "import subprocess, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('child', 'w').write(str(child.pid)); time.sleep(60)"
    )
    path = write_pipeline({"step": {"code": code, "seconds": 1}})
    with pytest.raises(StepFailed, match="took too long"):
        run(path)
    assert not _is_running(int((tmp_path / "child").read_text()))


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("is_cached", "others", "state"),
    [(True, {}, "cached"), (True, {"n": "2"}, "ran"), (False, {}, "ran")],
)
def test_cache(write_pipeline, run, is_cached, others, state):
    parameters = {"n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1}}
    step = {**MAKE, "parameters": {"n": {"componentInputParameter": "n"}}}
    path = write_pipeline({"step": {**step, **(CACHED if is_cached else {})}}, parameters)
    first = run(path, "first")
    second = run(path, "second", **others)
    assert states(second) == {"step": state}
    if state == "cached":
        assert second["step"].outputs == first["step"].outputs


def test_the_cache_sees_what_the_driver_finds(write_pipeline, run, tmp_path):
    hook = (
        "found = {'parameterValues': {'fingerprint': open('data').read()}}\n"
        "pathlib.Path(said['outputs']['outputFile']).write_text(json.dumps(found))"
    )
    path = write_pipeline({"gen": {**MAKE, "hook": hook, **CACHED}})
    seen = []
    for number, data in enumerate(["one", "one", "two"]):
        (tmp_path / "data").write_text(data)
        seen += states(run(path, str(number))).values()
    assert seen == ["ran", "cached", "ran"]


@pytest.mark.parametrize(("blessed", "state"), [(1, "ran"), (0, "skipped")])
def test_conditions(write_pipeline, run, blessed, state):
    judge = {"code": f"tell({{'b': {{'blessed': {blessed}}}}})", "outputs": ["b"]}
    condition = "(inputs.artifacts['b'].artifacts[0].metadata['blessed'] == 1.0)"
    push = {
        "code": "",
        "inputs": {"b": ("judge", "b")},
        "triggerPolicy": {"condition": condition},
        "outputs": ["pushed"],
    }
    after = {"code": "", "inputs": {"p": ("push", "pushed")}}
    runs = run(write_pipeline({"judge": judge, "push": push, "after": after}))
    assert states(runs) == {"judge": "ran", "push": state, "after": state}


def test_parameters_are_checked(write_pipeline):
    parameters = {
        "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3},
        "rate": {"parameterType": "NUMBER_DOUBLE"},
    }
    ir = read_ir(write_pipeline({"make": MAKE}, parameters))
    assert fill_parameters(ir, {"rate": "1e-3"}) == {"epochs": 3, "rate": 1e-3}
    with pytest.raises(IrError, match="no parameter epoch; there is epochs, rate"):
        fill_parameters(ir, {"epoch": "1", "rate": "1"})
    with pytest.raises(IrError, match="rate has no default"):
        fill_parameters(ir, {})
    with pytest.raises(IrError, match="'many', which is no NUMBER_INTEGER"):
        fill_parameters(ir, {"epochs": "many", "rate": "1"})


def test_what_is_no_pipeline_is_refused(write_pipeline, tmp_path):
    path = write_pipeline(
        {"a": {**MAKE, "dependentTasks": ["b"]}, "b": {**MAKE, "dependentTasks": ["a"]}}
    )
    with pytest.raises(IrError, match="wait for each other: a, b"):
        read_ir(path)
    path.write_text(json.dumps({"pipelineInfo": {"name": "p"}, "stages": []}))
    with pytest.raises(IrError, match="no PipelineSpec"):
        read_ir(path)
