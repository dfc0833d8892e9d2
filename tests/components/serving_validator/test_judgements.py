"""A served answer of several classes, or a number, is held against the training graph's."""

import numpy as np
import pytest
import tensorflow as tf

from components.serving_validator.classifier_questions import (
    judge_several_classes,
    judge_values,
)
from components.serving_validator.questions import (
    HOSTILE_TEXTS,
    UnusableAnswer,
    hostile_rows,
    text_of,
)

CLASSES = ("a", "b")
OWN = np.array([[0.9, 0.2], [0.5, 0.1]], np.float32)


def served(probabilities=OWN, decided=((True, False), (True, False))) -> dict[str, np.ndarray]:
    names = np.array([CLASSES] * 2, object)
    return {"probabilities": probabilities, "classes": names, "is_answer": np.array(decided)}


def judge(answer):
    return judge_several_classes(CLASSES, OWN, 1e-5, answer)


def test_equal_answers_agree():
    judgement = judge(served())
    assert judgement.problems == [None, None]
    assert judgement.largest_difference == 0


def test_a_probability_of_one_half_may_be_decided_either_way():
    assert judge(served(decided=((True, False), (False, False)))).problems == [None, None]


def test_other_decisions_and_probabilities_are_told():
    first, second = judge(served(decided=((True, True), (True, False)))).problems
    assert "is_answer of 'b' is True, the training graph's probability is 0.2" in first
    assert second is None
    shifted = OWN + np.array([[0, 0], [0, 1e-3]], np.float32)
    assert "probability of 'b'" in judge(served(shifted)).problems[1]
    with pytest.raises(UnusableAnswer, match="is_answer"):
        judge({name: value for name, value in served().items() if name != "is_answer"})


def test_numbers_may_differ_by_what_is_allowed():
    own, allowed = np.array([100.0, -3.0], np.float32), np.array([1e-3, 1e-4])
    assert judge_values(own, allowed, "value", {"value": own + np.float32(5e-5)}).problems == [
        None,
        None,
    ]
    broken = judge_values(own, allowed, "value", {"value": np.array([100.01, np.nan])}).problems
    assert "value is 100.01, the training graph's is 100" in broken[0]
    assert "value is nan" in broken[1]
    with pytest.raises(UnusableAnswer, match="shape"):
        judge_values(own, allowed, "value", {"value": own[:1]})


def test_both_texts_of_a_pair_are_hostile():
    example = tf.train.Example()
    for name in ("text", "text_pair"):
        example.features.feature[name].bytes_list.value.append(b"x")
    rows = hostile_rows(example.SerializeToString())
    assert [text_of(row) for row in rows] == list(HOSTILE_TEXTS)
    assert [text_of(row, "text_pair") for row in rows] == list(reversed(HOSTILE_TEXTS))
