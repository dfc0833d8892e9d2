"""Our own exports, of each task, served with the files that are made with them, and asked every way."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    prediction_log_pb2,
    regression_pb2,
)

from components.trainer.serving_files import write_serving_files
from components.trainer.warm_up import MAX_BATCH_ROWS, classifier_requests
from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig
from models.export import export_classifier
from serving import config_files
from serving.batching import BatchingParameters

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "lung"]
CLASSES = ("heart", "Ω lung")
TASKS = {
    "single_label": {"classes": CLASSES, "embedding_pooling": "cls"},
    "multi_label": {"classes": CLASSES, "pairs": True},
    "regression": {"target": {"mean": 5.0, "deviation": 2.0}, "embedding_pooling": "max"},
}
TEXTS = ["heart", "", "lung heart \U0001f600", "heart " * 50]
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@pytest.fixture(scope="module", params=TASKS)
def classifier(request):
    keras.utils.set_random_seed(1)
    backbone = BackboneConfig(
        vocabulary_size=6, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    )
    config = ClassifierConfig(
        backbone=backbone, task=request.param, max_length=12, **TASKS[request.param]
    )
    classifier = TextClassifier(config, VOCABULARY)
    for variable in classifier.model.trainable_variables:
        variable.assign_add(keras.random.normal(variable.shape, stddev=0.5))
    return classifier


@pytest.fixture(scope="module")
def model(classifier, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "1"

    def transform_features(examples):  # the Trainer's is Transform's graph
        texts = tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})
        return {"token_ids": classifier.tokenizer(texts["text"]).to_tensor()}

    export_classifier(classifier, str(folder), {"transform_features": transform_features})
    requests = classifier_requests(classifier.config)
    write_serving_files(str(folder), requests, classifier.classes)
    return folder


@pytest.fixture(scope="module")
def server(serve, model):
    """As docs/serving.md starts it. Without answers to its warm-up requests it would serve nothing."""
    extra = model / "assets.extra"
    with serve(
        model_name="ours",
        model_base_path=str(model.parent),
        enable_batching=True,
        batching_parameters_file=str(extra / "batching_parameters.txt"),
        monitoring_config_file=str(extra / "monitoring.config"),
        max_num_load_retries=0,
    ) as target:
        yield target


@pytest.fixture
def inputs(classifier):
    """What is read, by name."""
    pairs = {"text_pair": TEXTS[::-1]} if classifier.config.pairs else {}
    return {"text": TEXTS} | pairs


@pytest.fixture
def examples(inputs):
    message = input_pb2.Input()
    for row in range(len(TEXTS)):
        example = message.example_list.examples.add()
        for name, texts in inputs.items():
            example.features.feature[name].bytes_list.value.append(texts[row].encode())
    return message


@pytest.fixture
def rows(inputs):
    return [dict(zip(inputs, row, strict=True)) for row in zip(*inputs.values(), strict=True)]


@pytest.fixture
def expected(classifier, inputs):
    answers = classifier.answers(*inputs.values())
    return answers["value" if classifier.config.task == "regression" else "probabilities"]


def is_regression(classifier):
    return classifier.config.task == "regression"


def numbers(classifier, result):
    """[n, classes] or [n] of a result message; the classes are the model's."""
    if is_regression(classifier):
        return np.array([row.value for row in result.regressions])
    for row in result.classifications:
        assert tuple(entry.label for entry in row.classes) == classifier.config.classes
    return np.array([[entry.score for entry in row.classes] for row in result.classifications])


def test_classify_and_regress_over_grpc(classifier, server, examples, expected):
    if is_regression(classifier):
        request, call = regression_pb2.RegressionRequest(input=examples), server.prediction.Regress
        request.model_spec.signature_name = "regress"
    else:
        request = classification_pb2.ClassificationRequest(input=examples)
        request.model_spec.signature_name = "classify"
        call = server.prediction.Classify
    request.model_spec.name = "ours"
    found = numbers(classifier, call(request, timeout=30).result)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


def test_multi_inference(classifier, server, examples, expected):
    request = inference_pb2.MultiInferenceRequest(input=examples)
    kind = "regress" if is_regression(classifier) else "classify"
    task = request.tasks.add(method_name=REGRESS if is_regression(classifier) else CLASSIFY)
    task.model_spec.name, task.model_spec.signature_name = "ours", kind
    [result] = server.prediction.MultiInference(request, timeout=30).results
    result = getattr(result, result.WhichOneof("result"))
    np.testing.assert_allclose(numbers(classifier, result), expected, rtol=1e-6, atol=1e-5)


def test_classify_and_regress_over_rest(classifier, server, rows, expected):
    verb = "regress" if is_regression(classifier) else "classify"
    response = server.post(
        f"/v1/models/ours:{verb}", json={"signature_name": verb, "examples": rows}
    )
    results = response.json()["results"]
    if not is_regression(classifier):
        assert {tuple(label for label, _ in row) for row in results} == {CLASSES}
        results = [[score for _, score in row] for row in results]
    np.testing.assert_allclose(results, expected, rtol=1e-6, atol=1e-5)


def test_embeddings_over_rest(classifier, server, inputs, rows):
    response = server.post(
        "/v1/models/ours:predict", json={"signature_name": "embed", "instances": rows}
    )
    found = np.array(response.json()["predictions"])
    assert found.shape == (len(TEXTS), 4)
    np.testing.assert_allclose(found, classifier.embeddings(*inputs.values()), atol=1e-5)


def test_every_signature_is_warmed_up_with_one_row_and_a_full_batch(classifier, model, server):
    metadata = server.get("/v1/models/ours/metadata").json()["metadata"]
    names = set(metadata["signature_def"]["signature_def"]) - {"__saved_model_init_op"}
    asked = [
        (request.model_spec.signature_name, rows_of(request)) for request in warm_up_requests(model)
    ]
    assert set(asked) == {(name, rows) for name in names for rows in (1, MAX_BATCH_ROWS)}
    assert len(asked) == 3 * len(names)
    assert (model / "assets.extra/tf_serving_warmup_requests").stat().st_size < 50_000
    metrics = server.get("/monitoring/prometheus/metrics").text
    assert "model_warmup" in metrics


def test_the_longest_warm_up_text_fills_the_model(classifier, model):
    texts = [
        request.inputs["text"].string_val[0]
        for request in warm_up_requests(model)
        if "text" in getattr(request, "inputs", {})
    ]
    pair = [tf.constant([max(texts, key=len)])] * (2 if classifier.config.pairs else 1)
    assert classifier.tokenizer(*pair).row_lengths().numpy().tolist() == [12]


def warm_up_requests(model):
    file = str(model / "assets.extra/tf_serving_warmup_requests")
    for record in tf.data.TFRecordDataset([file]).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        yield getattr(log, log.WhichOneof("log_type")).request


def rows_of(request):
    if hasattr(request, "input"):
        return len(request.input.example_list.examples)
    return len(next(iter(request.inputs.values())).string_val)


def test_labels_are_a_line_each(classifier, model):
    file = model / "assets.extra/labels.txt"
    if is_regression(classifier):
        assert not file.exists()
    else:
        assert tuple(file.read_text(encoding="utf-8").split("\n")) == (*CLASSES, "")


def test_the_servers_settings_read_as_they_are_meant(model):
    extra = model / "assets.extra"
    proto = config_files.read_batching_parameters(str(extra / "batching_parameters.txt"))
    assert BatchingParameters.from_proto(proto, default_threads=3) == BatchingParameters(
        num_batch_threads=3, max_batch_size=64, batch_timeout_micros=0, max_enqueued_batches=16
    )
    monitoring = config_files.read_monitoring_config(str(extra / "monitoring.config"))
    assert monitoring.prometheus_config.enable
    assert monitoring.prometheus_config.path == "/monitoring/prometheus/metrics"
    assert not list(model.rglob("*.part"))
