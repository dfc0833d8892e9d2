"""The SavedModel gives the generator's answers, in both loaders and in a process of its own."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from models.gpt.export import export_generator

TEXTS = ["the heart", "", "Ünïcödé lungs — 心臓 \U0001f600 " * 5]
SETTINGS = {"max_new_tokens": 6, "temperature": 0.9, "top_k": 20, "top_p": 0.9, "seed": 4}


@pytest.fixture(scope="module")
def exported(generator, tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("export") / "1")
    export_generator(generator, folder)
    return folder


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(exported).signatures


def tensors(signature, values) -> dict[str, tf.Tensor]:
    specs = signature.structured_input_signature[1]
    return {name: tf.constant(value, specs[name].dtype) for name, value in values.items()}


def generated(signature, values) -> list[str]:
    return [text.decode() for text in signature(**tensors(signature, values))["text"].numpy()]


def test_has_the_signatures(signatures):
    assert set(signatures) == {"serving_default", "score", "generate"}
    specs = signatures["generate"].structured_input_signature[1]
    assert {name: spec.dtype for name, spec in specs.items()} == {
        "prompt": tf.string,
        "max_new_tokens": tf.int32,
        "temperature": tf.float32,
        "top_k": tf.int32,
        "top_p": tf.float32,
        "seed": tf.int64,
    }


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_texts_are_the_generators(signatures, generator, temperature):
    settings = SETTINGS | {"temperature": temperature}
    found = generated(signatures["generate"], {"prompt": TEXTS} | settings)
    assert found == generator.generate(TEXTS, **settings)
    assert len(set(found)) == 3


def test_a_value_a_row_as_in_rests_row_form(signatures, generator):
    """`instances` arrive as lists of one value a row; each row is as if it were sent alone."""
    rows = {
        "max_new_tokens": [6, 2, 4],
        "temperature": [0.0, 1.0, 1.0],
        "top_k": [0, 5, 0],
        "top_p": [1.0, 1.0, 0.5],
        "seed": [1, 2, 3],
    }
    found = generated(signatures["generate"], {"prompt": TEXTS} | rows)
    for i, text in enumerate(TEXTS):
        alone = {name: values[i] for name, values in rows.items()}
        assert generator.generate([text], **alone) == [found[i]]
        listed = {name: [value] for name, value in alone.items()}
        assert generated(signatures["generate"], {"prompt": [text]} | listed) == [found[i]]


def test_a_number_of_values_that_fits_no_row_is_refused(signatures):
    values = {"prompt": TEXTS} | SETTINGS | {"seed": [1, 2]}
    with pytest.raises(tf.errors.InvalidArgumentError):
        signatures["generate"](**tensors(signatures["generate"], values))


def test_scores_are_the_generators(signatures, generator):
    found = signatures["score"](text=tf.constant(TEXTS))
    expected = generator.score(TEXTS)
    assert set(found) == {"log_likelihood", "tokens", "bytes"}
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].numpy(), values, rtol=1e-5)


def test_examples_are_scored(signatures, generator):
    examples = []
    for text in TEXTS:
        example = tf.train.Example()
        example.features.feature["text"].bytes_list.value.append(text.encode())
        examples.append(example.SerializeToString())
    found = signatures["serving_default"](examples=tf.constant(examples))
    expected = generator.score(TEXTS)["log_likelihood"]
    np.testing.assert_allclose(found["log_likelihood"].numpy(), expected, rtol=1e-5)


def test_empty_batches(signatures):
    nothing = {"prompt": np.array([], object)} | SETTINGS
    assert generated(signatures["generate"], nothing) == []
    assert signatures["score"](text=tf.constant([], tf.string))["tokens"].shape == (0,)


def in_tensorflow_1(exported, name, values):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], exported)
        signature = graph.signature_def[name]
        fetches = {key: tensor.name for key, tensor in signature.outputs.items()}
        feeds = {signature.inputs[key].name: value for key, value in values.items()}
        return session.run(fetches, feeds)


def test_loads_as_tensorflow_1_does(exported, generator):
    """TensorFlow Serving's way: a session, tensors by name."""
    answer = in_tensorflow_1(exported, "generate", {"prompt": TEXTS} | SETTINGS)
    assert [text.decode() for text in answer["text"]] == generator.generate(TEXTS, **SETTINGS)
    answer = in_tensorflow_1(exported, "score", {"text": TEXTS})
    expected = generator.score(TEXTS)["log_likelihood"]
    np.testing.assert_allclose(answer["log_likelihood"], expected, rtol=1e-5)


def test_tensorflow_1_refuses_impossible_settings_too(exported):
    with pytest.raises(tf.errors.InvalidArgumentError, match="top_p must be 1"):
        in_tensorflow_1(exported, "generate", {"prompt": TEXTS} | SETTINGS | {"top_p": 2.0})


def test_holds_each_weight_once(exported, generator, checkpoint_bytes):
    assert checkpoint_bytes(exported) == 4 * generator.model.count_params()


def test_needs_nothing_of_ours(exported, generator, tmp_path):
    program = """
import json, sys
import tensorflow as tf
import tensorflow_text
assert not {"keras_hub", "models", "sentencepiece"} & set(sys.modules)
signature = tf.saved_model.load(sys.argv[1]).signatures["generate"]
specs = signature.structured_input_signature[1]
values = json.loads(sys.argv[2])
answer = signature(**{name: tf.constant(v, specs[name].dtype) for name, v in values.items()})
print(json.dumps([text.decode() for text in answer["text"].numpy()]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, exported, json.dumps({"prompt": TEXTS} | SETTINGS)],
        cwd=tmp_path,  # the project cannot be imported from here
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == generator.generate(TEXTS, **SETTINGS)
