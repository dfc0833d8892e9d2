"""What a GPT is asked and how its answers are judged, without a server."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_gpt

from components.serving_validator.comparison import compare
from components.serving_validator.generator_questions import (
    GeneratorAsker,
    GreedyDecoder,
    Written,
    judge_likelihoods,
    judge_texts,
)
from components.serving_validator.questions import HOSTILE_TEXTS, UnusableAnswer, hostile_rows

TOLERANCE = 1e-4
SIZE = {"max_sequence_length": 512}  # a long text takes fewer windows


def row(text):
    example = tf.train.Example()
    example.features.feature["text"].bytes_list.value.append(text.encode())
    return example.SerializeToString()


@pytest.fixture(scope="module")
def generator():
    return tiny_gpt.make_generator(**SIZE)


@pytest.fixture(scope="module")
def questions(generator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("generator")
    generator.save(folder)
    return GeneratorAsker(str(folder), TOLERANCE).questions("hostile", hostile_rows(row("a")))


def own_answer(generator, question):
    """What a right server answers: the generator's own graphs, which use the cache."""
    if question.signature != "generate":
        return generator.score(question.texts)
    settings = {name: value.item() for name, value in list(question.inputs.items())[1:]}
    return {"text": np.array(generator.generate(question.texts, **settings), object)}


def test_a_right_server_answers_hostile_texts_too(questions, generator):
    assert [question.signature for question in questions] == [
        *("score", "serving_default", "generate", "generate")
    ]
    for question in questions:
        assert question.texts == list(HOSTILE_TEXTS)
        comparison = compare("here", question, own_answer(generator, question))
        assert comparison.mismatches == []


def test_another_model_is_noticed_by_every_question(questions):
    other = tiny_gpt.make_generator(seed=2, **SIZE)
    for question in questions:
        mismatches = compare("here", question, own_answer(other, question)).mismatches
        # The empty text has no likelihood but 0, and is 0 tokens long.
        assert len(mismatches) >= len(HOSTILE_TEXTS) - 1


def test_greedy_texts_stop_where_two_tokens_are_equally_likely(generator):
    written = GreedyDecoder(generator, TOLERANCE)("the heart", 12)
    assert written == Written(generator.generate(["the heart"], 12)[0], is_whole=True)
    unsure = GreedyDecoder(generator, 1e9)("the heart", 12)
    assert unsure == Written("", is_whole=False)


def test_any_end_of_a_text_that_may_go_on_is_right():
    expected = [Written("sure", is_whole=False), Written("caf\ufffd", is_whole=False)]
    assert judge_texts(expected, {"text": np.array(["sure thing", "café"], object)}).problems == [
        None,
        None,
    ]
    wrong = judge_texts(expected, {"text": np.array(["sur", "coffee"], object)}).problems
    assert wrong[0] == "the answer is 'sur', in process 'sure'"
    assert wrong[1] is not None


SCORES = {
    "log_likelihood": np.array([-20.0, 0.0], np.float32),
    "tokens": np.array([10, 0], np.int32),
    "bytes": np.array([30, 0], np.int32),
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"log_likelihood": np.array([-20.0005, 0.0])}, None),  # 5e-5 a token
        ({"log_likelihood": np.array([-20.01, 0.0])}, "log-likelihood is -20.01, in process -20"),
        ({"log_likelihood": np.array([np.nan, 0.0])}, "log-likelihood is nan"),
        ({"tokens": np.array([11, 0])}, "tokens are 11, in process 10"),
        ({"bytes": np.array([31, 0])}, "bytes are 31, in process 30"),
    ],
)
def test_likelihoods(changes, words):
    problems = judge_likelihoods(SCORES, TOLERANCE, SCORES | changes).problems
    assert problems[1] is None
    if words is None:
        assert problems[0] is None
    else:
        assert words in problems[0]


def test_a_missing_output_cannot_be_judged():
    with pytest.raises(UnusableAnswer, match="no output 'text'"):
        judge_texts([Written("a", is_whole=True)], {"tokens": np.array([1])})


def test_half_a_model_is_refused(tmp_path):
    keras.utils.set_random_seed(1)
    with pytest.raises(FileNotFoundError):
        GeneratorAsker(str(tmp_path), TOLERANCE)
