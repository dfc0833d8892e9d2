"""gRPC as TensorFlow Serving answers it."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)
from toy_models import TOY as MODEL
from toy_models import VERSION


def request(signature="", inputs=None, output_filter=(), name=MODEL, version=None, label=None):
    message = predict_pb2.PredictRequest(output_filter=output_filter)
    message.model_spec.CopyFrom(model_pb2.ModelSpec(name=name, signature_name=signature))
    if version is not None:
        message.model_spec.version.value = version
    if label is not None:
        message.model_spec.version_label = label
    for alias, value in (inputs or {}).items():
        is_proto = isinstance(value, tensor_pb2.TensorProto)
        message.inputs[alias].CopyFrom(value if is_proto else tf.make_tensor_proto(value))
    return message


def refusal(call, message):
    with pytest.raises(grpc.RpcError) as caught:
        call(message, timeout=30)
    return caught.value.code(), caught.value.details()


def example(text):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    features = tf.train.Features(feature={"text": feature})
    return tf.train.Example(features=features).SerializeToString()


def test_default_signature_takes_examples_and_names_version_and_signature(target):
    response = target.prediction.Predict(
        request(inputs={"examples": [example("tiny"), example("a very long text indeed")]})
    )
    assert response.model_spec.name == MODEL
    assert response.model_spec.version.value == VERSION
    assert response.model_spec.signature_name == "serving_default"
    assert tf.make_ndarray(response.outputs["label"]).tolist() == [b"short", b"long"]


def test_raw_text_signature_gives_three_outputs_of_one_batch(target):
    response = target.prediction.Predict(
        request("serving_text", {"text": ["", "é😀", "x" * 20_000]}, version=VERSION)
    )
    assert set(response.outputs) == {"label", "probabilities", "classes"}
    probabilities = tf.make_ndarray(response.outputs["probabilities"])
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-6)
    assert tf.make_ndarray(response.outputs["classes"]).shape == (3, 2)


def test_values_come_in_the_field_of_their_type_not_as_packed_content(target):
    response = target.prediction.Predict(
        request(
            "shapes",
            {
                "scale": np.float32(2),
                "vector": np.array([3, -4], np.int64),
                "matrix": np.array([[1.5, 2.5]]),
            },
        )
    )
    outputs = response.outputs
    assert list(outputs["total"].int64_val) == [-1]
    assert list(outputs["matrix"].double_val) == [3.0, 5.0]
    assert list(outputs["positive"].bool_val) == [True, False]
    assert not any(proto.tensor_content for proto in outputs.values())
    assert [d.size for d in outputs["matrix"].tensor_shape.dim] == [1, 2]
    assert not outputs["total"].tensor_shape.dim


def test_types_without_a_field_of_their_own_arrive_too(target):
    response = target.prediction.Predict(request("half", {"x": np.array([0.5], np.float32)}))
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [0.5]


def test_bytes_that_are_no_text_pass_unchanged(target):
    response = target.prediction.Predict(request("echo", {"data": [b"\xff\x00\xfe"]}))
    assert tf.make_ndarray(response.outputs["text"]).tolist() == [b"\xff\x00\xfe"]


def test_an_empty_batch_is_a_batch(target):
    response = target.prediction.Predict(request("one_output", {"x": np.zeros([0], np.float32)}))
    assert tf.make_ndarray(response.outputs["y"]).shape == (0,)


def test_output_filter_chooses_outputs(target):
    response = target.prediction.Predict(
        request("serving_text", {"text": ["a"]}, output_filter=["label"])
    )
    assert list(response.outputs) == ["label"]


TEXT = {"text": ["a"]}


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        (request(name="nobody"), "NOT_FOUND", "Servable not found for request: Latest(nobody)"),
        (
            request(version=99),
            "NOT_FOUND",
            f"Servable not found for request: Specific({MODEL}, 99)",
        ),
        (request(name=""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (
            request(label="canary"),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: canary",
        ),
        (
            request("no_such", TEXT),
            "FAILED_PRECONDITION",
            'Serving signature key "no_such" not found.',
        ),
        (request("serving_text", {}), "INVALID_ARGUMENT", "Missing but required: {text}"),
        (
            request("serving_text", {**TEXT, "extra": ["b"]}),
            "INVALID_ARGUMENT",
            "input size does not match signature: 2!=1 len({extra,text}) != len({text}). "
            "Sent extra: {extra}. Missing but required: {}.",
        ),
        (
            request("serving_text", {"txt": ["a"]}),
            "INVALID_ARGUMENT",
            "Signature input alias: text(feed name: ",
        ),
        (
            request("serving_text", {"text": np.array([1], np.int64)}),
            "INVALID_ARGUMENT",
            "to be string but int64 is provided",
        ),
        (
            request("serving_text", TEXT, output_filter=["lable"]),
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: lable "
            "Outputs expected to be in the set {classes,label,probabilities}.",
        ),
        (
            request("serving_text", TEXT, output_filter=["label", "label"]),
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: label",
        ),
        (
            request(inputs={"examples": ["not a tf.Example"]}),
            "INVALID_ARGUMENT",
            "Could not parse example input",
        ),
    ],
)
def test_predict_refuses(target, message, code, words):
    got_code, details = refusal(target.prediction.Predict, message)
    assert (got_code.name, words in details) == (code, True), details


def test_a_tensor_whose_content_does_not_fit_its_shape_is_refused(target):
    proto = tf.make_tensor_proto(np.arange(4, dtype=np.float32))
    proto.tensor_content = proto.tensor_content[:7]
    code, details = refusal(target.prediction.Predict, request("one_output", {"x": proto}))
    assert (code.name, details) == ("INVALID_ARGUMENT", "tensor parsing error: x")


def test_long_error_messages_are_cut(target):
    code, details = refusal(target.prediction.Predict, request(name="n" * 5_000))
    assert code.name == "NOT_FOUND"
    assert details.endswith("...TRUNCATED")
    assert len(details) == 1024 + len("...TRUNCATED")


def metadata_request(name=MODEL, fields=("signature_def",)):
    return get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=model_pb2.ModelSpec(name=name), metadata_field=fields
    )


def test_metadata_holds_the_signatures_of_the_file(target):
    response = target.prediction.GetModelMetadata(metadata_request())
    assert (response.model_spec.name, response.model_spec.version.value) == (MODEL, VERSION)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "serving_text", "rows"} <= set(signatures.signature_def)
    info = signatures.signature_def["serving_default"].inputs["examples"]
    assert info.dtype == tf.string.as_datatype_enum
    assert [d.size for d in info.tensor_shape.dim] == [-1]


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        (
            metadata_request(fields=()),
            "INVALID_ARGUMENT",
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (
            metadata_request(fields=["weights"]),
            "INVALID_ARGUMENT",
            "Metadata field weights is not supported",
        ),
        (
            metadata_request(name="nobody"),
            "NOT_FOUND",
            "Servable not found for request: Latest(nobody)",
        ),
        (
            get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]),
            "INVALID_ARGUMENT",
            "Missing ModelSpec",
        ),
    ],
)
def test_metadata_refuses(target, message, code, words):
    got_code, details = refusal(target.prediction.GetModelMetadata, message)
    assert (got_code.name, details) == (code, words)


def status_request(name=MODEL, version=None):
    message = get_model_status_pb2.GetModelStatusRequest()
    message.model_spec.name = name
    if version is not None:
        message.model_spec.version.value = version
    return message


@pytest.mark.parametrize("version", [None, VERSION])
def test_status_of_the_served_version(target, version):
    response = target.model.GetModelStatus(status_request(version=version))
    (status,) = response.model_version_status
    assert status.version == VERSION
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert (status.status.error_code, status.status.error_message) == (0, "")


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        (
            status_request(version=99),
            "NOT_FOUND",
            f"Could not find version 99 of model {MODEL}",
        ),
        (status_request("nobody"), "NOT_FOUND", "Could not find any versions of model nobody"),
        (get_model_status_pb2.GetModelStatusRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
    ],
)
def test_status_refuses(target, message, code, words):
    got_code, details = refusal(target.model.GetModelStatus, message)
    assert (got_code.name, details) == (code, words)
