"""REST as TensorFlow Serving answers it."""

import base64
import json
import math

import pytest
import tensorflow as tf
from toy_models import TOY as MODEL
from toy_models import VERSION

PREDICT = f"/v1/models/{MODEL}:predict"


def predict(target, document, path=PREDICT):
    response = target.post(path, content=json.dumps(document))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/json")
    return json.loads(response.text)


def refusal(response):
    body = response.json()
    assert list(body) == ["error"]
    return response.status_code, body["error"]


def example(text):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    features = tf.train.Features(feature={"text": feature})
    serialized = tf.train.Example(features=features).SerializeToString()
    return {"b64": base64.b64encode(serialized).decode()}


def test_row_format_of_one_input_and_several_outputs(target):
    answer = predict(
        target, {"signature_name": "serving_text", "instances": ["tiny", "é😀 and much longer"]}
    )
    rows = answer["predictions"]
    assert [row["label"] for row in rows] == ["short", "long"]
    assert rows[0]["classes"] == ["short", "long"]
    assert math.isclose(sum(rows[1]["probabilities"]), 1, rel_tol=1e-6)


def test_column_format_of_one_input_and_several_outputs(target):
    answer = predict(target, {"signature_name": "serving_text", "inputs": ["tiny"]})
    assert answer["outputs"]["label"] == ["short"]
    named = predict(target, {"signature_name": "serving_text", "inputs": {"text": ["tiny"]}})
    assert named == answer


def test_examples_are_sent_in_base64(target):
    row = predict(target, {"instances": [example("tiny")]})["predictions"]
    assert row[0]["label"] == "short"
    # Named, because one unnamed {"b64"} is a value.
    named = predict(target, {"instances": [{"examples": example("tiny")}]})["predictions"]
    assert named == row


@pytest.mark.parametrize("path", ["/versions/7", "/VERSIONS/007"])
def test_a_version_can_be_named(target, path):
    document = {"signature_name": "one_output", "instances": [1]}
    answer = predict(target, document, f"/v1/models/{MODEL}{path}:predict")
    assert answer == {"predictions": [1.0]}


def test_a_single_output_has_no_name(target):
    document = {"signature_name": "one_output"}
    assert predict(target, {**document, "instances": [1.5, 2]}) == {"predictions": [1.5, 2.0]}
    assert predict(target, {**document, "inputs": [1.5, 2]}) == {"outputs": [1.5, 2.0]}


def test_floats_are_short_and_exact(target):
    response = target.post(PREDICT, content='{"signature_name":"one_output","inputs":[0.2,3]}')
    assert "0.2," in response.text
    assert "3.0" in response.text


def test_not_a_number_and_infinity_pass_both_ways(target):
    response = target.post(
        PREDICT,
        content='{"signature_name": "one_output", "inputs": [NaN, Infinity, -Infinity, 1e300]}',
    )
    nan, inf, minus_inf, beyond = json.loads(response.text)["outputs"]
    assert math.isnan(nan)
    assert (inf, minus_inf, beyond) == (math.inf, -math.inf, math.inf)


def test_rows_of_several_inputs_are_objects(target):
    answer = predict(
        target,
        {
            "signature_name": "rows",
            "instances": [{"a": 0.5, "b": [1, 2]}, {"b": [3, 4], "a": 1}],
        },
    )
    assert answer["predictions"] == [{"b": [1, 2], "sum": 3.5}, {"b": [3, 4], "sum": 8.0}]


def test_columns_take_scalars_vectors_and_matrices(target):
    answer = predict(
        target,
        {
            "signature_name": "shapes",
            "inputs": {"scale": 2, "vector": [3, -4, 5], "matrix": [[1.5, 2.5]]},
        },
    )
    assert answer["outputs"] == {
        "total": 4,
        "matrix": [[3.0, 5.0]],
        "positive": [True, False, True],
    }


def test_outputs_named_bytes_are_base64_and_others_text(target):
    answer = predict(target, {"signature_name": "echo", "instances": [{"b64": "aGk="}, "é"]})
    assert answer["predictions"] == [
        {"raw_bytes": {"b64": "aGk="}, "text": "hi"},
        {"raw_bytes": {"b64": "w6k="}, "text": "é"},
    ]


def test_a_null_character_is_a_character(target):
    answer = predict(target, {"signature_name": "echo", "inputs": ["a\x00b"]})
    assert answer["outputs"]["text"] == ["a\x00b"]


def test_what_follows_the_object_is_ignored(target):
    response = target.post(PREDICT, content='{"signature_name":"one_output","inputs":[1]} etc')
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("", 400, "JSON Parse error: The document is empty"),
        ("{", 400, "JSON Parse error: "),
        ("[1]", 400, "JSON Value: [1] Is not object"),
        ({}, 400, "Missing 'inputs' or 'instances' key"),
        ({"instances": [1], "inputs": [1]}, 400, "expecting only one of"),
        ({"instances": "x"}, 400, "Expecting 'instances' to be an list/array"),
        ({"instances": []}, 400, "No values in 'instances' array"),
        ({"signature_name": 3, "instances": [1]}, 400, "key must be a string value."),
        (
            {"signature_name": "no_such", "instances": [1]},
            400,
            'Serving signature name: "no_such" not found in signature def',
        ),
        ({"instances": [1]}, 400, "JSON Value: 1 Type: Number is not of expected type: string"),
        ({"instances": [None]}, 400, "Type: Null is not of expected type: string"),
        ({"instances": [{"b64": "?"}]}, 400, "Unable to base64 decode"),
        ({"instances": [{"b46": "aGk="}]}, 400, "does not have named input: b46"),
        ({"signature_name": "echo", "inputs": {"dta": ["x"]}}, 400, "Missing named input: data"),
        ({"signature_name": "one_output", "inputs": ["1"]}, 400, "is not of expected type: float"),
        ({"signature_name": "one_output", "inputs": [True]}, 400, "is not of expected type: float"),
        (
            {"signature_name": "rows", "instances": [{"a": 1, "b": [1.5, 2]}]},
            400,
            "Failed to process element: 0 key: b of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON Value: 1.5 Type: Number is not of expected type: int32",
        ),
        (
            {"signature_name": "rows", "instances": [{"a": 1}]},
            400,
            "keys must be equal to: a,b",
        ),
        ({"signature_name": "rows", "instances": [1]}, 400, "instances is a plain list"),
        ({"signature_name": "rows", "inputs": [1]}, 400, "inputs is a plain value/list"),
        (
            {"signature_name": "rows", "instances": [{"a": 1, "b": [1, 2]}, 3]},
            400,
            "Expecting object but got list at item 1 of input list",
        ),
        (
            {"signature_name": "rows", "instances": [{"a": 1, "b": [1, 2]}, {"a": 1, "b": [1]}]},
            400,
            "Expecting tensor size: 2 but got: 1",
        ),
        (
            {"signature_name": "shapes", "inputs": {"scale": 1, "vector": [1], "matrix": [[1], 2]}},
            400,
            "found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        (
            {"signature_name": "shapes", "inputs": {"scale": 1, "vector": [1], "matrix": [1, [2]]}},
            400,
            "Encountered list at unexpected level: 1 expected < 1",
        ),
        (
            {
                "signature_name": "shapes",
                "inputs": {"scale": 1, "vector": [1], "matrix": [[1, 2], [3]]},
            },
            400,
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        ({"instances": [{"b64": "bm90IGFuIGV4YW1wbGU="}]}, 400, "Could not parse example input"),
        (
            {
                "signature_name": "shapes",
                "instances": [{"scale": 1, "vector": 1, "matrix": [1, 2]}],
            },
            400,
            "",  # a scalar input can't be sent in rows; which words depends on the graph
        ),
        ({"signature_name": "half", "inputs": [1]}, 400, "Failed to write JSON value"),
    ],
)
def test_predict_refuses(target, body, status, words):
    content = body if isinstance(body, str) else json.dumps(body)
    got_status, error = refusal(target.post(PREDICT, content=content))
    assert (got_status, words in error) == (status, True), error


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (
            "/v1/models/nobody:predict",
            404,
            "Servable not found for request: Latest(nobody)",
        ),
        (
            f"/v1/models/{MODEL}/versions/99:predict",
            404,
            f"Servable not found for request: Specific({MODEL}, 99)",
        ),
        (
            f"/v1/models/{MODEL}/labels/canary:predict",
            400,
            "Unrecognized servable version label: canary",
        ),
        (f"/v1/models/{MODEL}:explain", 400, f"Malformed request: POST /v1/models/{MODEL}:explain"),
        (f"/v1/models/{MODEL}", 400, f"Malformed request: POST /v1/models/{MODEL}"),
        (
            f"/v1/models/{MODEL}/versions/{10**30}:predict",
            400,
            f"Failed to convert version: {10**30} to numeric.",
        ),
    ],
)
def test_predict_refuses_paths(target, path, status, words):
    body = json.dumps({"signature_name": "one_output", "instances": [1]})
    assert refusal(target.post(path, content=body)) == (status, words)


@pytest.mark.parametrize("path", ["", f"/versions/{VERSION}"])
def test_status(target, path):
    assert target.get(f"/v1/models/{MODEL}{path}").json() == {
        "model_version_status": [
            {
                "version": str(VERSION),
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


def test_metadata(target):
    body = target.get(f"/v1/models/{MODEL}/metadata").json()
    assert body["model_spec"] == {"name": MODEL, "signature_name": "", "version": str(VERSION)}
    signatures = body["metadata"]["signature_def"]["signature_def"]
    info = signatures["serving_text"]["inputs"]["text"]
    assert info["dtype"] == "DT_STRING"
    assert info["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    assert target.get(f"/v1/models/{MODEL}/versions/{VERSION}/metadata").json() == body


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/models", 400, "Missing model name in request."),
        ("/v1/models/nobody", 404, "Could not find any versions of model nobody"),
        (
            f"/v1/models/{MODEL}/versions/99",
            404,
            f"Could not find version 99 of model {MODEL}",
        ),
        ("/v1/models/no%20body/metadata", 404, "Servable not found for request: Latest(no body)"),
        (PREDICT, 400, f"Malformed request: GET {PREDICT}"),
    ],
)
def test_get_refuses(target, path, status, words):
    assert refusal(target.get(path)) == (status, words)


def test_a_path_outside_the_api_is_not_found(target):
    assert target.get("/metrics-of-nothing").status_code == 404
