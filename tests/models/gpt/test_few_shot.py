"""The label that the text makes likelier is chosen, from prompts that fit the context."""

import keras
import numpy as np
import pytest
import tiny_gpt

from models.gpt.config import GptConfig
from models.gpt.few_shot import CONTENT_FREE, FewShotClassifier, content_free
from models.gpt.model import build_gpt
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


@pytest.mark.parametrize("examples", [EXAMPLES[:1], []])
def test_probabilities_are_divided_by_those_after_texts_that_say_nothing(generator, examples):
    """q = W p with W = diag(mean of p after content-free texts)^-1, p adding up to 1 over the labels."""
    classifier = FewShotClassifier(generator, examples, LABELS)

    def shares(text):
        prompts = [f"{classifier.prompt(text)} {label}" for label in LABELS]
        scores = generator.score(prompts)["log_likelihood"].astype(np.float64)
        p = np.exp(scores - scores.max())
        return p / p.sum()

    texts = ["two lungs", "a heart", "the matter"]
    prior = np.mean([shares(text) for text in content_free([t for t, _ in examples])], axis=0)
    q = np.stack([shares(text) / prior for text in texts])
    expected = q / q.sum(axis=1, keepdims=True)
    found = classifier.calibrated(classifier.log_likelihoods(texts))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-3)  # of sums of some -100 nats in float32
    assert classifier.predict(texts) == [LABELS[i] for i in expected.argmax(axis=1)]
    assert classifier.predict([]) == []


def test_texts_that_say_nothing_are_words_of_the_examples_in_disorder():
    texts = ["the heart fails", "two lungs and the heart"]
    found = content_free(texts)
    assert len(set(found)) > 10
    assert {len(text.split()) for text in found} == {4}
    assert {word for text in found for word in text.split()} == set(" ".join(texts).split())
    assert found == content_free(texts)
    assert content_free([]) == content_free([" "]) == list(CONTENT_FREE)


@pytest.mark.parametrize("shots", [0, 1])
def test_a_model_that_prefers_one_label_is_right_once_calibrated(train_sentencepiece, shots):
    """Uncalibrated it is worse than chance: it says "lungs" of every text, and one is of that label."""
    generator = echoing_generator(train_sentencepiece(vocab_size=295), preferred="lungs")
    labels = ["fail", "heart", "lungs"]
    examples = [(f"a {label}", label) for label in labels] * shots
    classifier = FewShotClassifier(generator, examples, labels)
    asked = ["heart", "fail", "fail", "lungs", "heart"]
    texts = [f"the {word} of two" for word in asked]
    assert classifier.log_likelihoods(texts).argmax(axis=1).tolist() == [labels.index("lungs")] * 5
    assert classifier.predict(texts) == asked


def echoing_generator(sentencepiece_model: bytes, preferred: str) -> TextGenerator:
    """A decoder made by hand: words that stood before come again, and `preferred` comes whatever stood.

    Its one layer attends to all that is before alike and passes it on unchanged, so that what is told next
    are the embeddings seen; the last norm's offset is the preferred word's embedding.
    """
    changes = {"num_layers": 1, "num_heads": 1, "hidden_dim": 64, "max_sequence_length": 80}
    config = GptConfig(**tiny_gpt.CONFIG.model_dump() | changes | {"vocabulary_size": 295})
    model = build_gpt(config)
    for variable in model.trainable_variables:
        variable.assign(keras.ops.zeros_like(variable))
    embeddings = np.random.default_rng(0).normal(size=(295, 64))
    weights = {
        "token_embedding/embeddings": embeddings,
        "attention_layer_norm/gamma": np.ones(64),
        "attention_qkv/kernel": np.hstack([np.zeros((64, 128)), np.eye(64)]),  # values only
        "attention_output/kernel": np.eye(64),
        "final_layer_norm/gamma": np.full(64, 0.5),
    }
    generator = TextGenerator(config, sentencepiece_model, model)
    (word,) = generator.tokenizer([f" {preferred}"]).numpy()[0]
    weights["final_layer_norm/beta"] = 2 * embeddings[word]  # exp() of that is no float32
    for end, value in weights.items():
        (variable,) = (v for v in model.trainable_variables if v.path.endswith(end))
        variable.assign(value)
    return generator


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
