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
    "probabilities": np.array([0.25, 0.75], np.float32),
    "classes": np.array([b"a", "Ω".encode()], object),
}


@pytest.mark.parametrize("label", ["Ω".encode(), np.array(["Ω".encode()], object)])
def test_one_label(label):
    assert answers.answer(PROBABILITIES | {"label": label}) == {
        "label": "Ω",
        "probability": 0.75,
        "probabilities": {"a": 0.25, "Ω": 0.75},
    }


@pytest.mark.parametrize(
    ("is_answer", "labels"), [([True, True], ["a", "Ω"]), ([False, False], [])]
)
def test_several_labels_or_none(is_answer, labels):
    found = answers.answer(PROBABILITIES | {"is_answer": np.array(is_answer)})
    assert found == {"labels": labels, "probabilities": {"a": 0.25, "Ω": 0.75}}


def test_a_number():
    row = answers.answer({"value": np.float32(-2.5)})
    assert row == {"value": -2.5}
    assert isinstance(row["value"], float)


def test_what_is_no_number_is_found():
    assert answers.not_finite({"value": np.inf}) == [np.inf]
    assert answers.not_finite({"value": 0.0}) == []
    assert len(answers.not_finite({"label": "a", "probabilities": {"a": np.nan, "b": 1.0}})) == 1


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
