"""The label whose prompt is likeliest is chosen, from prompts that fit the context."""

import numpy as np
import pytest

from models.gpt.config import GptConfig
from models.gpt.few_shot import FewShotClassifier
from models.gpt.text_generator import TextGenerator

LABELS = ["heart", "lungs and lungs", "matter"]
EXAMPLES = [("the heart fails", "heart"), ("the lungs fail 日本", "lungs and lungs")]


@pytest.fixture(scope="module")
def generator(gpt_config, sentencepiece_model, make_gpt):
    changes = {"max_sequence_length": 80}
    config = GptConfig(**gpt_config.model_dump() | changes)
    return TextGenerator(config, sentencepiece_model, make_gpt(**changes))


def test_a_prompt_is_examples_and_text(generator):
    classifier = FewShotClassifier(generator, EXAMPLES[:1], LABELS, "{text} is {label}")
    assert classifier.prompt("two lungs") == "the heart fails is heart two lungs is"
    zero_shot = FewShotClassifier(generator, [], LABELS)
    assert zero_shot.prompt("two lungs") == "two lungs topic"


def test_scores_are_those_of_prompt_and_label(generator):
    classifier = FewShotClassifier(generator, EXAMPLES[:1], LABELS)
    texts = ["two lungs", "a heart"]
    expected = [
        generator.score([f"{classifier.prompt(text)} {label}" for label in LABELS])
        for text in texts
    ]
    found = classifier.log_likelihoods(texts)
    np.testing.assert_allclose(found, [score["log_likelihood"] for score in expected], rtol=1e-5)
    assert classifier.predict(texts) == [LABELS[i] for i in found.argmax(axis=1)]
    assert classifier.predict([]) == []


def test_examples_change_the_answer(generator):
    texts = ["two lungs", "a heart", "the matter"]
    few = FewShotClassifier(generator, EXAMPLES[:1], LABELS).log_likelihoods(texts)
    none = FewShotClassifier(generator, [], LABELS).log_likelihoods(texts)
    differences = [scores - scores[:, :1] for scores in (few, none)]
    assert np.abs(differences[0] - differences[1]).max() > 0.01


@pytest.mark.parametrize("text", ["the lungs " * 50, "日本語" * 50, "", "a"])
def test_prompts_fit_into_the_context(generator, text):
    examples = [("日本語 the heart " * 20, "heart"), ("fail", "matter")]
    classifier = FewShotClassifier(generator, examples, LABELS, "{text} is {label}")
    prompt = classifier.prompt(text)
    assert prompt.count(" is") == 3
    tokens = generator.score([f"{prompt} {label}" for label in LABELS])["tokens"]
    assert tokens.max() <= 80
    if len(text) > 50:
        assert tokens.max() > 60  # and use most of it
        assert "\ufffd" not in prompt


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"template": "{text} {label}."}, 'expected "{text}", and " {label}" at its end'),
        ({"template": "topic {label}"}, 'expected "{text}"'),
        ({"examples": [("a", "hearts")]}, "labels that are none: hearts"),
        ({"examples": EXAMPLES * 9}, "18 examples leave no room for texts in a context of 80"),
    ],
)
def test_what_cannot_work_is_refused(generator, arguments, message):
    with pytest.raises(ValueError, match=message):
        FewShotClassifier(generator, **{"examples": EXAMPLES, "labels": LABELS} | arguments)
