"""Several versions of a model, their labels, and the metrics page, as in TensorFlow Serving."""

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2, model_pb2, predict_pb2
from toy_models import CANARY, PAIR, STABLE, TOY

BODY = {"signature_name": "serving_text", "instances": ["tiny"]}


def ask(target, **spec):
    request = predict_pb2.PredictRequest(output_filter=["label"])
    request.model_spec.name = PAIR
    request.model_spec.signature_name = "serving_text"
    if "version" in spec:
        request.model_spec.version.value = spec["version"]
    if "label" in spec:
        request.model_spec.version_label = spec["label"]
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(["tiny"]))
    response = target.prediction.Predict(request, timeout=30)
    return response.model_spec.version.value, response.outputs["label"].string_val[0]


def test_without_a_version_the_newest_answers(target):
    assert ask(target) == (CANARY, b"long")


@pytest.mark.parametrize(
    ("spec", "answer"),
    [
        ({"version": STABLE}, (STABLE, b"short")),
        ({"version": CANARY}, (CANARY, b"long")),
        ({"label": "stable"}, (STABLE, b"short")),
        ({"label": "canary"}, (CANARY, b"long")),
    ],
)
def test_versions_and_labels_choose(target, spec, answer):
    assert ask(target, **spec) == answer


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("", "long"),
        (f"/versions/{STABLE}", "short"),
        ("/labels/stable", "short"),
        ("/labels/%73table", "short"),
        ("/labels/canary", "long"),
    ],
)
def test_versions_and_labels_choose_over_rest(target, path, label):
    response = target.post(f"/v1/models/{PAIR}{path}:predict", json=BODY)
    assert response.json()["predictions"][0]["label"] == label


def test_an_unknown_label_is_refused(target):
    with pytest.raises(grpc.RpcError) as caught:
        ask(target, label="latest")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "Unrecognized servable version label: latest"
    response = target.post(f"/v1/models/{PAIR}/labels/latest:predict", json=BODY)
    assert response.status_code == 400


def test_metadata_of_a_label(target):
    body = target.get(f"/v1/models/{PAIR}/labels/stable/metadata").json()
    assert body["model_spec"]["version"] == str(STABLE)


def test_status_lists_all_versions_the_newest_first(target):
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_pb2.ModelSpec(name=PAIR))
    statuses = target.model.GetModelStatus(request, timeout=30).model_version_status
    assert [(s.version, s.state) for s in statuses] == [(CANARY, 30), (STABLE, 30)]
    for path in ("", "/labels/stable"):  # a status has no label
        body = target.get(f"/v1/models/{PAIR}{path}").json()
        assert [v["version"] for v in body["model_version_status"]] == [str(CANARY), str(STABLE)]


def test_metrics_are_where_prometheus_looks_and_have_their_names(target):
    for signature, status in (("one_output", 200), ("no_such", 400)):
        body = {"signature_name": signature, "instances": [1]}
        assert target.post(f"/v1/models/{TOY}:predict", json=body).status_code == status
    assert ask(target)
    response = target.get("/monitoring/prometheus/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    page = response.text
    for series in (
        f':tensorflow:serving:request_count{{model_name="{TOY}",status="OK"}} ',
        f':tensorflow:serving:request_count{{model_name="{TOY}",status="INVALID_ARGUMENT"}} ',
    ):
        assert series in page
    for name, api, entrypoint in ((TOY, "predict", "REST"), (PAIR, "Predict", "GRPC")):
        (line,) = (
            line
            for line in page.splitlines()
            if line.startswith(":tensorflow:serving:request_latency_count{")
            and f'model_name="{name}"' in line
            and f'API="{api}"' in line
            and f'entrypoint="{entrypoint}"' in line
        )
        assert float(line.rsplit(" ", 1)[1]) >= 1
    assert ":tensorflow:serving:runtime_latency_bucket{" in page
