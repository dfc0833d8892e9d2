"""What a model's outputs become as a row; how many rows share a key."""

import collections

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from components.prediction_writer import answers
from components.prediction_writer.artifact import RepeatedKeys
from components.prediction_writer.keys import CountRepeated

PROBABILITIES = {
    "probabilities": np.array([[0.25, 0.75]], np.float32),
    "classes": np.array([[b"a", "Ω".encode()]], object),
}


def test_one_label():
    outputs = PROBABILITIES | {"label": np.array([["Ω".encode()]], object)}
    assert answers.answer("single_label", outputs) == {
        "label": "Ω",
        "probability": 0.75,
        "probabilities": {"a": 0.25, "Ω": 0.75},
    }


@pytest.mark.parametrize(
    ("is_answer", "labels"), [([True, True], ["a", "Ω"]), ([False, False], [])]
)
def test_several_labels_or_none(is_answer, labels):
    outputs = PROBABILITIES | {"is_answer": np.array([is_answer])}
    found = answers.answer("multi_label", outputs)
    assert found == {"labels": labels, "probabilities": {"a": 0.25, "Ω": 0.75}}


def test_a_number():
    assert answers.answer("regression", {"value": np.array([-2.5], np.float32)}) == {"value": -2.5}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_no_answer(value):
    with pytest.raises(answers.NoAnswer, match=f"the model's answer is {value}"):
        answers.answer("regression", {"value": np.array([value], np.float32)})


@pytest.mark.parametrize(
    ("outputs", "task"),
    [
        (("label", "probabilities", "classes"), "single_label"),
        (("classes", "is_answer", "probabilities"), "multi_label"),
        (("value",), "regression"),
        (("score",), None),
        ((), None),
    ],
)
def test_the_task_is_told_by_the_outputs(outputs, task):
    assert answers.task_of(outputs) == task


@hypothesis.given(st.lists(st.lists(st.text("ab😀", max_size=3))))
def test_repeated_keys_are_counted_over_bundles(bundles):
    combine = CountRepeated()
    accumulators = []
    for bundle in bundles:
        accumulator = combine.create_accumulator()
        for key in bundle:
            accumulator = combine.add_input(accumulator, key)
        accumulators.append(accumulator)
    counts = collections.Counter(key for bundle in bundles for key in bundle)
    repeated = [count for count in counts.values() if count > 1]
    expected = RepeatedKeys(keys=len(repeated), rows=sum(repeated))
    assert combine.extract_output(combine.merge_accumulators(accumulators)) == expected
