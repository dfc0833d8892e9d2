"""Classify, Regress and MultiInference as TensorFlow Serving answers them, over gRPC and REST."""

import base64
import json

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    regression_pb2,
)
from toy_models import PAIR, TOY, VERSION

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
LONG_TEXT = "a very long text indeed"


def example(text):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    return tf.train.Example(features=tf.train.Features(feature={"text": feature}))


def examples(*texts):
    return input_pb2.Input(
        example_list=input_pb2.ExampleList(examples=[example(text) for text in texts])
    )


def with_context(text, count):
    return input_pb2.Input(
        example_list_with_context=input_pb2.ExampleListWithContext(
            examples=[tf.train.Example()] * count, context=example(text)
        )
    )


def classify(signature, data, name=TOY):
    request = classification_pb2.ClassificationRequest(input=data)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    return request


def regress(signature, data):
    request = regression_pb2.RegressionRequest(input=data)
    request.model_spec.name = TOY
    request.model_spec.signature_name = signature
    return request


def multi(data, *tasks, name=TOY):
    request = inference_pb2.MultiInferenceRequest(input=data)
    for method, signature in tasks:
        task = request.tasks.add(method_name=method)
        task.model_spec.name = name
        task.model_spec.signature_name = signature
    return request


def refusal(call, message):
    with pytest.raises(grpc.RpcError) as caught:
        call(message, timeout=30)
    return caught.value.code().name, caught.value.details()


def test_classify_gives_every_class_with_its_score(target):
    response = target.prediction.Classify(classify("classify", examples("tiny", LONG_TEXT)))
    assert response.model_spec.name == TOY
    assert response.model_spec.version.value == VERSION
    assert response.model_spec.signature_name == "classify"
    short, long = response.result.classifications
    assert [c.label for c in short.classes] == ["short", "long"]
    assert short.classes[0].score > 0.9
    assert long.classes[1].score > 0.9


def test_classify_without_labels_has_scores_only(target):
    response = target.prediction.Classify(classify("classify_scores", examples("tiny")))
    (row,) = response.result.classifications
    assert [c.label for c in row.classes] == ["", ""]
    assert sum(c.score for c in row.classes) == pytest.approx(1)


def test_a_context_is_part_of_every_example(target):
    response = target.prediction.Classify(classify("classify", with_context(LONG_TEXT, 3)))
    scores = [row.classes[1].score for row in response.result.classifications]
    assert len(scores) == 3
    assert min(scores) > 0.9


def test_regress_gives_a_number_for_each_example(target):
    response = target.prediction.Regress(regress("regress", examples("tiny", LONG_TEXT)))
    assert response.model_spec.signature_name == "regress"
    small, large = (r.value for r in response.result.regressions)
    assert small < 0.1
    assert large > 0.9


def test_several_heads_answer_for_the_same_examples(target):
    data = examples("tiny", LONG_TEXT, "")
    response = target.prediction.MultiInference(
        multi(data, (CLASSIFY, "classify"), (REGRESS, "regress"), (CLASSIFY, "classify_scores"))
    )
    classes, numbers, scores = response.results
    assert classes.classification_result == (
        target.prediction.Classify(classify("classify", data)).result
    )
    assert numbers.regression_result == target.prediction.Regress(regress("regress", data)).result
    assert numbers.model_spec.signature_name == "regress"
    assert numbers.model_spec.version.value == VERSION
    assert scores.classification_result.classifications[0].classes[0].label == ""


@pytest.mark.parametrize(
    ("method", "message", "code", "words"),
    [
        ("Classify", classification_pb2.ClassificationRequest(), "INVALID_ARGUMENT", "Missing Mod"),
        ("Regress", regression_pb2.RegressionRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (
            "Classify",
            classify("classify", examples("a"), name="nobody"),
            "NOT_FOUND",
            "Servable not found for request: Latest(nobody)",
        ),
        (
            "Classify",
            classify("no_such", examples("a")),
            "INVALID_ARGUMENT",
            "No signature was found with the name: no_such",
        ),
        ("Classify", classify("classify", input_pb2.Input()), "INVALID_ARGUMENT", "Input is empty"),
        ("Classify", classify("classify", examples()), "INVALID_ARGUMENT", "Input is empty."),
        (
            "Classify",
            classify("rows", examples("a")),
            "INVALID_ARGUMENT",
            "Expected one input Tensor.",
        ),
        (
            "Classify",
            classify("serving_default", examples("a")),
            "INVALID_ARGUMENT",
            "Expected one or two output Tensors, found 3",
        ),
        (
            "Classify",
            classify("one_output", examples("a")),
            "INVALID_ARGUMENT",
            "No classification inputs found in SignatureDef: ",
        ),
        (
            "Classify",
            classify("regress", examples("a")),
            "INVALID_ARGUMENT",
            'outputs to contain at least one of "classes" or "scores". Signature was: ',
        ),
        (
            "Classify",
            classify("classify_flat", examples("a")),
            "INVALID_ARGUMENT",
            "Expected Tensor shape: [batch_size num_classes] but got [1]",
        ),
        ("Regress", regress("classify", examples("a")), "INVALID_ARGUMENT", "Expected one output"),
        (
            "Regress",
            regress("classify_scores", examples("a")),
            "INVALID_ARGUMENT",
            "No regression outputs found in SignatureDef: ",
        ),
        (
            "Regress",
            regress("regress_wide", examples("a")),
            "INVALID_ARGUMENT",
            "to be either [batch_size] or [batch_size, 1] but got [1,2]",
        ),
        (
            "Regress",
            regress("regress", with_context("a", 0)),
            "INVALID_ARGUMENT",
            "Input is empty.",
        ),
        (
            "Classify",
            classify(
                "classify",
                input_pb2.Input(example_list=input_pb2.ExampleList(examples=[tf.train.Example()])),
            ),
            "INVALID_ARGUMENT",
            "text",
        ),
        ("MultiInference", multi(examples("a")), "INVALID_ARGUMENT", "has no name specified"),
        (
            "MultiInference",
            multi(examples("a"), (CLASSIFY, "classify"), (CLASSIFY, "classify")),
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: classify",
        ),
        (
            "MultiInference",
            multi(examples("a"), (CLASSIFY, "no_such")),
            "INVALID_ARGUMENT",
            "Requested signature not found in model graph: no_such",
        ),
        (
            "MultiInference",
            multi(examples("a"), ("tensorflow/serving/predict", "classify")),
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        (
            "MultiInference",
            multi(examples("a"), (REGRESS, "classify")),
            "INVALID_ARGUMENT",
            "Expected one output Tensor.",
        ),
        (
            "MultiInference",
            multi(examples("a"), (CLASSIFY, "classify"), (CLASSIFY, "classify_flat")),
            "INVALID_ARGUMENT",
            "Input tensor must be the same for all Signatures.",
        ),
    ],
)
def test_refusals(target, method, message, code, words):
    got, details = refusal(getattr(target.prediction, method), message)
    assert (got, words in details) == (code, True), details


def test_all_heads_are_of_one_model(target):
    request = multi(examples("a"), (CLASSIFY, "classify"))
    request.MergeFrom(multi(input_pb2.Input(), (CLASSIFY, "classify"), name=PAIR))
    assert refusal(target.prediction.MultiInference, request) == (
        "INVALID_ARGUMENT",
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    )


def rest(target, verb, document):
    return target.post(f"/v1/models/{TOY}:{verb}", content=json.dumps(document))


def test_rest_classify_gives_pairs_of_label_and_score(target):
    body = {"signature_name": "classify", "examples": [{"text": "tiny"}, {"text": LONG_TEXT}]}
    response = rest(target, "classify", body)
    assert response.status_code == 200, response.text
    short, long = response.json()["results"]
    assert [label for label, _ in short] == ["short", "long"]
    assert short[0][1] > 0.9
    assert long[1][1] > 0.9


def test_rest_regress_gives_numbers(target):
    encoded = base64.b64encode(LONG_TEXT.encode()).decode()
    body = {
        "signature_name": "regress",
        "examples": [{"text": "tiny"}, {"text": {"b64": encoded}}, {"text": [LONG_TEXT]}],
    }
    response = rest(target, "regress", body)
    assert response.status_code == 200, response.text
    small, large, same = response.json()["results"]
    assert small < 0.1
    assert large == same > 0.9


def test_rest_context_is_part_of_every_example(target):
    body = {"signature_name": "regress", "context": {"text": LONG_TEXT}, "examples": [{}, {}]}
    response = rest(target, "regress", body)
    assert np.array(response.json()["results"]).min() > 0.9


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"signature_name": "classify"}, "key 'examples' is expected and was not found"),
        ({"examples": {"text": "a"}}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": ["a"]}, "Example must be JSON object but got JSON String"),
        (
            {"examples": [{"text": None}]},
            "Feature: text has element with unexpected JSON type: Nul",
        ),
        ({"examples": [{"text": [["a"]]}]}, "has element with unexpected JSON type: Array"),
        ({"examples": [{"text": {"a": 1}}]}, "has element with unexpected JSON type: Object"),
        ({"examples": [{"text": ["a", 1]}]}, "Unexpected element type in feature: text expecting"),
        ({"examples": [{"n": 2**63}]}, "Feature: n has uint64_t element. Only int64_t is support"),
        ({"signature_name": "classify", "examples": [{"text": 3}]}, "text"),
        ({"examples": [{"text": "a"}]}, "Expected one or two output Tensors, found 3"),
        ({"signature_name": "no_such", "examples": [{}]}, "No signature was found with the name"),
    ],
)
def test_rest_classify_refuses(target, body, words):
    response = rest(target, "classify", body)
    assert response.status_code == 400
    assert words in response.json()["error"]
