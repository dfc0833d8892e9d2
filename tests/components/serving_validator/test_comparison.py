"""The comparison of a classifier's answers, without a server."""

import functools

import numpy as np
import pytest

from components.serving_validator.classifier_questions import judge_classes, judge_scored_classes
from components.serving_validator.comparison import compare
from components.serving_validator.questions import Question, UnusableAnswer
from components.serving_validator.signature_questions import judge_embeddings, judge_token_ids

CLASSES = ["a", "b"]
TEXTS = ["first text", "second text"]
PROBABILITIES = np.array([[0.9, 0.1], [0.3, 0.7]], np.float32)


def answer(probabilities=PROBABILITIES, label=("a", "b"), classes=(CLASSES, CLASSES)):
    return {
        "probabilities": np.array(probabilities),
        "label": np.array(label, dtype=object),
        "classes": np.array(classes, dtype=object),
    }


def judged(given, texts=TEXTS, probabilities=PROBABILITIES):
    judge = functools.partial(judge_classes, CLASSES, probabilities, 1e-5)
    return compare("REST", Question("all", "serving_text", {}, texts, judge), given)


def outcome(**changes):
    return judged(answer(**changes))


def test_equal_answers_agree():
    comparison = outcome()
    assert (comparison.mismatches, comparison.texts) == ([], 2)
    assert comparison.largest_difference == 0


def test_a_difference_within_the_tolerance_agrees_and_is_told():
    comparison = outcome(probabilities=PROBABILITIES + np.float32(8e-6))
    assert not comparison.mismatches
    assert 5e-6 < comparison.largest_difference < 1e-5


@pytest.mark.parametrize(
    ("changes", "text", "words"),
    [
        (
            {"probabilities": [[0.9, 0.1], [0.31, 0.69]]},
            "second text",
            "probability of 'b' is 0.69, the training graph's is 0.7 (difference 0.01",
        ),
        (
            {"probabilities": [[0.9, 0.1], [0.3, np.nan]]},
            "second text",
            "probability of 'b' is nan",
        ),
        ({"label": ("b", "b")}, "first text", "label is 'b', the training graph's is 'a'"),
        ({"classes": (["b", "a"], CLASSES)}, "first text", "classes are ['b', 'a']"),
        ({"probabilities": [[0.9, 0.1]]}, "(all)", "'probabilities' has shape (1, 2)"),
    ],
)
def test_a_wrong_answer_is_told_with_text_and_figures(changes, text, words):
    (mismatch,) = outcome(**changes).mismatches
    assert mismatch.text == text
    assert words in str(mismatch)


def test_a_missing_output_is_told():
    given = answer()
    del given["label"]
    (mismatch,) = judged(given).mismatches
    assert "no output 'label'" in mismatch.problem


def test_either_of_two_equal_classes_is_a_right_label():
    even = np.array([[0.5, 0.5]])
    for label in CLASSES:
        given = answer(even, (label,), (CLASSES,))
        assert not judged(given, ["t"], even).mismatches


def test_a_difference_that_is_no_number_is_none():
    assert outcome(probabilities=[[np.nan, 0.1], [0.3, 0.7]]).largest_difference is None


def test_scores_are_judged_as_probabilities_are():
    scores = {"scores": PROBABILITIES + np.float32(8e-6), "classes": answer()["classes"]}
    assert judge_scored_classes(CLASSES, PROBABILITIES, 1e-5, scores).problems == [None, None]
    scores["scores"][1, 0] = 0.4
    first, second = judge_scored_classes(CLASSES, PROBABILITIES, 1e-5, scores).problems
    assert first is None
    assert "probability of 'a' is 0.4" in second


def test_embeddings_differ_by_a_share_of_their_largest_component():
    own = np.array([[100.0, 1.0], [0.1, 0.2], [0.0, 0.0]], np.float32)
    served = own + np.array([[5e-4, 0], [5e-6, 0], [np.nan, 0]], np.float32)
    judgement = judge_embeddings(own, 1e-5, {"embedding": served})
    assert judgement.problems[:2] == [None, None]
    assert "differs by nan of its largest component" in judgement.problems[2]
    second = judge_embeddings(own[1:2], 1e-5, {"embedding": own[1:2] + np.float32(2e-5)})
    assert "allowed 1e-05" in second.problems[0]
    with pytest.raises(UnusableAnswer, match="shape"):
        judge_embeddings(own, 1e-5, {"embedding": served[:, :1]})


@pytest.mark.parametrize(
    ("served", "right"),
    [
        ([[2, 5, 3], [2, 3, 0]], [True, True]),
        ([[2, 5, 3, 0], [2, 3, 0, 0]], [True, True]),  # filled up further
        ([[2, 5, 3], [2, 3, 7]], [True, False]),
        ([[2, 5], [2, 3]], [False, True]),
    ],
)
def test_token_ids_must_be_equal_and_filled_up_with_zeros(served, right):
    judgement = judge_token_ids([[2, 5, 3], [2, 3]], {"token_ids": np.array(served)})
    assert [problem is None for problem in judgement.problems] == right
    with pytest.raises(UnusableAnswer, match="2 rows"):
        judge_token_ids([[2, 5, 3], [2, 3]], {"token_ids": np.array(served[:1])})
