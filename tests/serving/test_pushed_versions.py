"""What is pushed, promoted and rolled back is what a server answers with, and no request fails meanwhile."""

import shutil
import threading
import time

import grpc
import pytest
import tensorflow as tf
from pushing import Push
from tensorflow_serving.apis import get_model_status_pb2, predict_pb2

from pipeline.configs import PipelineConfig, local_paths
from pipeline.versions import promote, rollback

pytestmark = pytest.mark.slow

NAME = "toy"
CONFIG = {
    "name": NAME,
    "data": {"path": "data", "text": {"label_column": "label"}},
    "model": {"weights": "minilm_l6"},
    "gate": {"min_accuracy": 0.5},
    "push": {"wait_seconds": 2},
}
POLLING = {
    "model_config_file_poll_wait_seconds": 0.05,
    "file_system_poll_wait_seconds": 0.05,
    "allow_version_labels_for_unavailable_models": True,
}


@pytest.fixture
def config(tmp_path) -> PipelineConfig:
    return PipelineConfig.model_validate(CONFIG | {"root": str(tmp_path / "runs")})


@pytest.fixture
def push(config, tmp_path, models_folder):
    """A function that pushes a model that can be served; the number of the version."""
    made = Push(tmp_path / "made", local_paths(config)["serving"])

    def run(name: str, **options) -> int:
        shutil.rmtree(made.model)
        shutil.copytree(models_folder / "pair" / "1", made.model)
        (made.model / "name").write_text(name)  # or it would be the same model
        made.bless()
        return int(made.run(**options).get_string_custom_property("pushed_version"))

    run.base = made.base
    return run


def answering(target, label=None) -> int:
    """The version that answers."""
    request = predict_pb2.PredictRequest(output_filter=["label"])
    request.model_spec.name = NAME
    request.model_spec.signature_name = "serving_text"
    if label:
        request.model_spec.version_label = label
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(["tiny"]))
    response = target.prediction.Predict(request, timeout=30)
    return response.model_spec.version.value


def wait_until(target, **wanted):
    """Until each label answers with its version; `any` stands for requests without one."""
    deadline = time.monotonic() + 60
    for label, version in wanted.items():
        answer = None
        while answer != version:
            assert time.monotonic() < deadline, f"{label} is {answer}, not {version}"
            time.sleep(0.05)
            try:
                answer = answering(target, None if label == "any" else label)
            except grpc.RpcError as error:  # a label may be new to the server
                answer = error.details()


def wait_until_loaded(target, version):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = NAME
    for _ in range(1200):
        statuses = target.model.GetModelStatus(request, timeout=30).model_version_status
        if version in [s.version for s in statuses if s.state == s.AVAILABLE]:
            return
        time.sleep(0.05)
    pytest.fail(f"version {version} was not loaded within 60 s")


def test_versions_change_under_requests_and_none_fails(config, push, serve):
    first = push("first")
    with serve(model_config_file=str(push.base / "models.config"), **POLLING) as target:
        wait_until(target, stable=first, any=first)
        stop, answers, failures = threading.Event(), [], []

        def keep_asking():
            while not stop.wait(0.005):  # the server shares this process's interpreter
                try:
                    answers.append((answering(target, "stable"), answering(target)))
                except grpc.RpcError as error:
                    failures.append(error.details())

        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            second = push("second")
            wait_until(target, stable=second, any=second)
            canary = push("canary", canary=True)
            wait_until(target, stable=second, canary=canary)
            other = push("other canary", canary=True)
            wait_until(target, stable=second, canary=other)
            promote(config)
            wait_until(target, stable=other, any=other)
            rollback(config, why="wrong")
            wait_until(target, stable=second, any=second)
            last = push("last")
            wait_until(target, stable=last, any=last)
            rollback(config, why="wrong again")
            wait_until_loaded(target, first)
            rollback(config, why="wrong before, too")
            wait_until(target, stable=first, any=first)
        finally:
            stop.set()
            asking.join()
    assert failures == []
    in_order = [first, second, other, second, last, second, first]
    seen = [version for version, _ in answers]
    assert [v for v, before in zip(seen, [None, *seen], strict=False) if v != before] == in_order
