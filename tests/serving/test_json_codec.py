"""JSON <-> tensors for values that nobody thinks of."""

import base64
import json
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving import json_decode, json_encode
from serving.errors import ServingError

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)
NUMERIC = (tf.float32, tf.float64, tf.int8, tf.uint8, tf.int16, tf.int32, tf.int64, tf.uint32)
NUMERIC = (*NUMERIC, tf.uint64, tf.bool)
JSON_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON_VALUES = st.recursive(
    JSON_SCALARS | st.fixed_dictionaries({"b64": st.text()}),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def round_trip(name, array, dtype):
    body = json_encode.to_outputs({name: array})
    return json_decode.to_array(json_decode.parse_json(body)["outputs"], dtype)


def value_or_refusal(decode):
    try:
        return decode()
    except ServingError as error:
        return error


@pytest.mark.parametrize("dtype", NUMERIC, ids=lambda dtype: dtype.name)
@given(data=st.data())
def test_numbers_come_back_bit_by_bit(dtype, data):
    array = data.draw(hnp.arrays(dtype.as_numpy_dtype, SHAPES))
    back = round_trip("x", array, dtype)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@given(st.lists(st.binary(), min_size=1))
def test_bytes_come_back_in_base64(values):
    array = np.array(values, dtype=object)
    assert round_trip("raw_bytes", array, tf.string).tolist() == values


@given(st.lists(st.binary(), min_size=1))
def test_bytes_pass_as_they_are_in_an_output_that_claims_text(values):
    array = np.array(values, dtype=object)
    assert round_trip("text", array, tf.string).tolist() == values


@given(st.lists(st.text(), min_size=1))
def test_text_comes_back(values):
    sent = json.dumps({"inputs": values}).encode()
    decoded = json_decode.to_array(json_decode.parse_json(sent)["inputs"], tf.string)
    assert decoded.tolist() == [value.encode() for value in values]


@given(hnp.arrays(np.float32, st.integers(1, 8), elements=st.floats(width=32)))
def test_floats_have_at_most_nine_digits(array):
    for written in json_encode.to_json_values("x", array):
        digits = f"{written:.9g}"
        assert math.isnan(written) or float(digits) == written


@given(value=JSON_VALUES, dtype=st.sampled_from([*NUMERIC, tf.string, tf.complex64]))
def test_any_json_is_a_tensor_or_a_refusal_with_a_sentence(value, dtype):
    for decode in (
        lambda: json_decode.from_inputs(value, {"x": dtype}),
        lambda: json_decode.from_instances([value, value], {"x": dtype}),
        lambda: json_decode.from_instances([value], {"x": dtype, "y": tf.string}),
    ):
        outcome = value_or_refusal(decode)
        if isinstance(outcome, ServingError):
            assert outcome.http_status in (400, 501)
            assert outcome.message
        else:
            assert outcome["x"].dtype == dtype


@given(st.binary())
def test_any_bytes_parse_or_are_refused(body):
    outcome = value_or_refusal(lambda: json_decode.parse_json(body))
    assert isinstance(outcome, dict) or outcome.http_status == 400


@given(st.binary())
def test_base64_needs_no_padding_and_skips_white_space(value):
    text = base64.b64encode(value).decode().rstrip("=")
    for form in (text, f" {text[:3]}\n{text[3:]} "):
        assert json_decode.to_array({"b64": form}, tf.string).tolist() == value


def test_small_integers_are_cut_to_their_width_like_a_c_cast():
    assert json_decode.to_array([300, -1], tf.uint8).tolist() == [44, 255]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (2**31, tf.int32),
        (2**63, tf.int64),
        (-1, tf.uint32),
        (1.0, tf.int32),
        (True, tf.int32),
        (1, tf.bool),
        ("NaN", tf.float32),
        (10**400, tf.float64),
        ("\ud800", tf.string),
        ([[1], [2, 3]], tf.int32),
        ({"b64": "YQ=", "and": "more"}, tf.string),
        ({"b64": "YQ="}, tf.string),
    ],
)
def test_what_does_not_fit_the_type_is_refused(value, dtype):
    with pytest.raises(ServingError) as caught:
        json_decode.to_array(value, dtype)
    assert caught.value.http_status == 400


def test_lists_too_deep_for_a_tensor_are_refused():
    nested = json.loads("[" * 200 + "]" * 200)
    with pytest.raises(ServingError, match="nested more than 32 deep"):
        json_decode.to_array(nested, tf.int32)


def test_rows_of_unequal_batches_and_scalars_have_no_row_format():
    with pytest.raises(ServingError, match="inconsistent batch size: 2 expecting: 1"):
        json_encode.to_predictions({"a": np.zeros(1), "b": np.zeros(2)})
    with pytest.raises(ServingError, match="a has no shape information"):
        json_encode.to_predictions({"a": np.array(1.0)})
