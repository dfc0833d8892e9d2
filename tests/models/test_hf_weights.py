"""Imported weights give the hidden states of BERT's formulas, layer by layer."""

import json
import math

import keras
import numpy as np
import pytest
import safetensors
import safetensors.numpy
import tensorflow as tf

from models.backbone import build_backbone
from models.classifier import pad
from models.hf_weights import WeightsError, load_backbone, read_backbone_config
from models.tokenizer import BertTokenizer, read_vocabulary
from pipeline.datasets.fetch import DatasetError, fetch

SENTENCES = [
    "Ventricular arrhythmias after acute myocardial infarction: a randomised, double-blind trial.",
    "No.",
    "We measured serum α-fetoprotein (ng/ml) in 120 patients with hepatocellular carcinoma, of whom "
    "34% had cirrhosis; levels above 400 were found in 19 (15.8%).",
]
TINY = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "vocab_size": 14,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 6,
    "intermediate_size": 10,
    "max_position_embeddings": 9,
    "hidden_dropout_prob": 0.1,
}
_erf = np.vectorize(math.erf, otypes=[float])
GELU = {
    "gelu": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
    "gelu_new": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
}


def reference_states(tensors, config, token_ids, mask) -> list[np.ndarray]:
    """Embeddings and each layer of arXiv 1810.04805 and 1706.03762, in float64.

    `tensors` by Hugging Face's names; `token_ids` and `mask` int [n, length].
    """

    def dense(x, name):
        return x @ tensors[f"{name}.weight"].T.astype(float) + tensors[f"{name}.bias"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    rows, length = token_ids.shape
    heads = config["num_attention_heads"]
    size = config["hidden_size"] // heads

    def split(x):
        return x.reshape(rows, length, heads, size).transpose(0, 2, 1, 3)

    embeddings = (
        tensors["embeddings.word_embeddings.weight"][token_ids].astype(float)
        + tensors["embeddings.position_embeddings.weight"][:length]
        + tensors["embeddings.token_type_embeddings.weight"][0]
    )
    states = [norm(embeddings, "embeddings.LayerNorm")]
    for i in range(config["num_hidden_layers"]):
        x, layer = states[-1], f"encoder.layer.{i}"
        q, k, v = (
            split(dense(x, f"{layer}.attention.self.{n}")) for n in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(size)
        scores = np.where(mask[:, None, None, :], scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        context = (weights @ v).transpose(0, 2, 1, 3).reshape(rows, length, -1)
        attended = dense(context, f"{layer}.attention.output.dense")
        x = norm(x + attended, f"{layer}.attention.output.LayerNorm")
        inner = GELU[config["hidden_act"]](dense(x, f"{layer}.intermediate.dense"))
        states.append(norm(x + dense(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm"))
    return states


def largest_difference(folder, token_ids: tf.RaggedTensor, tensors) -> float:
    """Over the states of all layers at all tokens that are not padding."""
    backbone, _ = load_backbone(folder)
    names = ["embeddings_layer_norm", *(x.name for x in backbone.layers if "transformer" in x.name)]
    outputs = [backbone.get_layer(name).output for name in names]
    inputs = pad(token_ids)
    ours = keras.Model(backbone.input, outputs)(inputs)
    config = json.loads((folder / "config.json").read_text())
    mask = inputs["padding_mask"].numpy().astype(bool)
    reference = reference_states(tensors, config, inputs["token_ids"].numpy(), mask)
    assert len(ours) == len(reference) == config["num_hidden_layers"] + 1
    return max(np.abs(a - b)[mask].max() for a, b in zip(ours, reference, strict=True))


def tiny_tensors(config=TINY) -> dict[str, np.ndarray]:
    """Random weights under Hugging Face's names, in torch's [out, in] shapes."""
    rng = np.random.default_rng(5)
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": (2, hidden),
        "embeddings.LayerNorm.weight": (hidden,),
        "embeddings.LayerNorm.bias": (hidden,),
        "pooler.dense.weight": (hidden, hidden),
    }
    for i in range(config["num_hidden_layers"]):
        for name, outputs, inputs in (
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", inner, hidden),
            ("output.dense", hidden, inner),
        ):
            shapes[f"encoder.layer.{i}.{name}.weight"] = (outputs, inputs)
            shapes[f"encoder.layer.{i}.{name}.bias"] = (outputs,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"encoder.layer.{i}.{name}.weight"] = (hidden,)
            shapes[f"encoder.layer.{i}.{name}.bias"] = (hidden,)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def write(folder, tensors, config=TINY):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    return folder


TINY_IDS = tf.ragged.constant([[2, 5, 9, 13, 7, 3], [2, 3], [2, 4, 4, 3]], dtype=tf.int32)


@pytest.mark.parametrize("gelu", ["gelu", "gelu_new"])
def test_tiny_weights_give_the_formulas_states(tmp_path, gelu):
    config = TINY | {"hidden_act": gelu}
    folder = write(tmp_path, tiny_tensors(), config)
    assert largest_difference(folder, TINY_IDS, tiny_tensors()) < 1e-5


def test_the_two_gelus_differ_enough_to_be_told_apart(tmp_path):
    exact = write(tmp_path / "exact", tiny_tensors())
    tanh = write(tmp_path / "tanh", tiny_tensors(), TINY | {"hidden_act": "gelu_new"})
    a, b = (load_backbone(folder)[0](pad(TINY_IDS)).numpy() for folder in (exact, tanh))
    assert np.abs(a - b).max() > 1e-4


def test_a_task_models_prefix_is_understood(tmp_path):
    prefixed = {f"bert.{name}": tensor for name, tensor in tiny_tensors().items()}
    prefixed["classifier.weight"] = np.zeros((3, 6), np.float32)
    assert largest_difference(write(tmp_path, prefixed), TINY_IDS, tiny_tensors()) < 1e-5


def test_the_folders_name_has_no_say(tmp_path):
    folder = write(tmp_path / "bert.embeddings.weight", tiny_tensors())
    assert largest_difference(folder, TINY_IDS, tiny_tensors()) < 1e-5


def test_a_random_backbone_differs(tmp_path):
    folder = write(tmp_path, tiny_tensors())
    random = build_backbone(read_backbone_config(folder))(pad(TINY_IDS)).numpy()
    assert np.abs(random - load_backbone(folder)[0](pad(TINY_IDS)).numpy()).max() > 0.1


def test_config_is_read(tmp_path):
    config = read_backbone_config(write(tmp_path, tiny_tensors()))
    assert config.model_dump() == {
        "vocabulary_size": 14,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 6,
        "intermediate_dim": 10,
        "max_sequence_length": 9,
        "dropout": 0.1,
        "gelu": "exact",
    }


@pytest.mark.parametrize("name", sorted(set(tiny_tensors()) - {"pooler.dense.weight"}))
def test_a_missing_tensor_is_named(tmp_path, name):
    tensors = tiny_tensors()
    del tensors[name]
    with pytest.raises(WeightsError, match=name):
        load_backbone(write(tmp_path, tensors))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("embeddings.word_embeddings.weight", (13, 6)),
        ("embeddings.token_type_embeddings.weight", (3, 6)),
        ("embeddings.LayerNorm.weight", (5,)),
        ("encoder.layer.1.attention.self.key.weight", (6, 5)),
        # As many numbers, in another order: must not be taken for the right one.
        ("encoder.layer.0.intermediate.dense.weight", (6, 10)),
        ("encoder.layer.0.output.dense.weight", (10, 6)),
        ("encoder.layer.0.attention.output.dense.weight", (4, 9)),
        ("embeddings.word_embeddings.weight", (6, 14)),
    ],
)
def test_a_wrong_shape_is_refused(tmp_path, name, shape):
    tensors = tiny_tensors() | {name: np.zeros(shape, np.float32)}
    with pytest.raises(WeightsError, match=name) as error:
        load_backbone(write(tmp_path, tensors))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "roberta"}, "model_type is 'roberta', expected 'bert'"),
        ({"model_type": None}, "model_type is None"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu', expected one of"),
        ({"layer_norm_eps": 1e-5}, "layer_norm_eps is 1e-05, expected 1e-12"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
    ],
)
def test_a_model_of_another_form_is_refused(tmp_path, change, message):
    with pytest.raises(WeightsError, match=message):
        read_backbone_config(write(tmp_path, tiny_tensors(), TINY | change))


@pytest.mark.parametrize("key", ["model_type", "hidden_act", "vocab_size", "hidden_size"])
def test_a_missing_key_of_the_config_is_named(tmp_path, key):
    config = {name: value for name, value in TINY.items() if name != key}
    with pytest.raises(WeightsError, match=key):
        read_backbone_config(write(tmp_path, tiny_tensors(), config))


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path, file):
    folder = write(tmp_path, tiny_tensors())
    (folder / file).unlink()
    with pytest.raises(WeightsError, match=file):
        load_backbone(folder)


@pytest.fixture(scope="module")
def minilm():
    try:
        return fetch("minilm_l6")
    except DatasetError as error:
        pytest.skip(str(error))


def test_minilm_gives_the_formulas_states_in_every_layer(minilm):
    with safetensors.safe_open(minilm / "model.safetensors", framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    tokenizer = BertTokenizer(read_vocabulary(minilm / "vocab.txt"), max_length=64)
    token_ids = tokenizer(tf.constant(SENTENCES))
    assert len(set(token_ids.row_lengths().numpy())) == 3
    assert largest_difference(minilm, token_ids, tensors) < 1e-5
