import json
from pathlib import Path

import keras
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from models.backbone import build_backbone
from models.hf_pretrainer import load_pretrainer, save_pretrainer
from models.hf_weights import WeightsError, load_backbone
from models.pretrainer import MASKED_LM, NEXT_SENTENCE, build_pretrainer

GOLDEN = json.loads(Path(__file__).with_name("huggingface_pretrainer.json").read_text())


@pytest.fixture
def model(backbone_config):
    keras.utils.set_random_seed(3)
    model = build_pretrainer(backbone_config, next_sentence=True)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign_add(rng.normal(scale=0.3, size=variable.shape))
    return model


@pytest.fixture
def folder(model, backbone_config, vocabulary, tmp_path):
    save_pretrainer(model, backbone_config, vocabulary, tmp_path / "hf")
    return tmp_path / "hf"


@pytest.fixture
def inputs():
    ones = tf.ones([1, 6], tf.int32)
    return {
        "token_ids": tf.constant([[2, 4, 3, 5, 6, 3]]),
        "sequence_ids": ones,
        "position_ids": tf.range(6)[tf.newaxis],
        "segment_ids": tf.constant([[0, 0, 0, 1, 1, 1]]),
        "masked_positions": tf.constant([[1, 4]]),
        "first_positions": tf.constant([[0]]),
    }


def test_what_was_saved_guesses_the_same(model, folder, inputs, backbone_config):
    loaded, config, missing = load_pretrainer(folder, next_sentence=True)
    assert (config, missing) == (backbone_config, [])
    expected, answer = model(inputs), loaded(inputs)
    for name in (MASKED_LM, NEXT_SENTENCE):
        np.testing.assert_array_equal(answer[name], expected[name])


def test_a_folder_of_transformers_guesses_what_it_guesses_there(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(GOLDEN["config"]))
    tensors = {name: np.array(values, np.float32) for name, values in GOLDEN["tensors"].items()}
    safetensors.numpy.save_file(tensors, tmp_path / "model.safetensors")
    model, config, missing = load_pretrainer(tmp_path, next_sentence=True)
    assert (config.hidden_dim, missing) == (4, [])
    length = len(GOLDEN["token_ids"])
    answer = model(
        {
            "token_ids": tf.constant([GOLDEN["token_ids"]]),
            "sequence_ids": tf.ones([1, length], tf.int32),
            "position_ids": tf.range(length)[tf.newaxis],
            "segment_ids": tf.constant([GOLDEN["segment_ids"]]),
            "masked_positions": tf.range(length)[tf.newaxis],
            "first_positions": tf.constant([[0]]),
        }
    )
    for name, theirs in (
        (MASKED_LM, "prediction_logits"),
        (NEXT_SENTENCE, "seq_relationship_logits"),
    ):
        expected = np.array(GOLDEN[theirs]).reshape(np.shape(answer[name]))
        np.testing.assert_allclose(answer[name], expected, atol=1e-5)


def test_what_is_written_has_the_names_that_transformers_has(folder):
    assert set(safetensors.numpy.load_file(folder / "model.safetensors")) == set(GOLDEN["tensors"])


def test_fine_tuning_starts_from_the_backbone(model, folder, inputs):
    backbone, _ = load_backbone(folder)
    plain = {"token_ids": inputs["token_ids"], "padding_mask": inputs["sequence_ids"]}
    packed = {name: inputs[name] for name in model.get_layer("backbone").input}
    packed["segment_ids"] = tf.zeros([1, 6], tf.int32)
    expected = model.get_layer("backbone")(packed)
    np.testing.assert_allclose(backbone(plain), expected, atol=1e-5)


def test_names_and_shapes_are_those_of_bert_for_pretraining(folder, vocabulary, backbone_config):
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    hidden, size = backbone_config.hidden_dim, len(vocabulary)
    assert tensors["bert.encoder.layer.1.attention.self.key.weight"].shape == (hidden, hidden)
    assert tensors["bert.encoder.layer.0.intermediate.dense.weight"].shape == (16, hidden)
    assert tensors["cls.predictions.transform.dense.weight"].shape == (hidden, hidden)
    assert tensors["cls.predictions.bias"].shape == (size,)
    assert tensors["cls.seq_relationship.weight"].shape == (2, hidden)
    assert "cls.predictions.decoder.weight" not in tensors  # tied to the embeddings
    assert json.loads((folder / "config.json").read_text())["architectures"] == [
        "BertForPreTraining"
    ]
    assert (folder / "vocab.txt").read_text().splitlines() == vocabulary


def test_heads_that_a_folder_lacks_are_new_and_named(backbone_config, vocabulary, tmp_path):
    masked_only = build_pretrainer(backbone_config, next_sentence=False)
    save_pretrainer(masked_only, backbone_config, vocabulary, tmp_path)
    _, _, missing = load_pretrainer(tmp_path, next_sentence=True)
    assert set(missing) == {
        "pooler/kernel",
        "pooler/bias",
        "next_sentence/kernel",
        "next_sentence/bias",
    }


def test_a_head_of_another_shape_is_refused(folder):
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    tensors["cls.predictions.bias"] = np.zeros(3, np.float32)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"cls.predictions.bias has shape \(3,\)"):
        load_pretrainer(folder, next_sentence=True)


def test_both_forms_of_the_backbone_have_the_same_names(backbone_config):
    forms = (build_backbone(backbone_config, packed) for packed in (False, True))
    plain, packed = ([v.path for v in form.trainable_variables] for form in forms)
    assert plain == packed
