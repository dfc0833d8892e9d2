"""A pretrained BERT as a Hugging Face folder: BertForPreTraining, or BertForMaskedLM."""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import safetensors
import safetensors.numpy

from models.backbone import build_backbone
from models.config import BackboneConfig
from models.hf_weights import (
    WeightsError,
    assign_backbone,
    backbone_tensors,
    read_backbone_config,
)
from models.pretrainer import build_pretrainer

CONFIG_FILE, WEIGHTS_FILE, VOCABULARY_FILE = "config.json", "model.safetensors", "vocab.txt"
_ACTIVATIONS = {"exact": "gelu", "tanh": "gelu_new"}
# Keras path → Hugging Face's name. The decoder's weights are the token embeddings.
_HEAD_NAMES = {
    "masked_lm_head/dense/kernel": "cls.predictions.transform.dense.weight",
    "masked_lm_head/dense/bias": "cls.predictions.transform.dense.bias",
    "masked_lm_head/layer_norm/gamma": "cls.predictions.transform.LayerNorm.weight",
    "masked_lm_head/layer_norm/beta": "cls.predictions.transform.LayerNorm.bias",
    "masked_lm_head/bias": "cls.predictions.bias",
    "pooler/kernel": "bert.pooler.dense.weight",
    "pooler/bias": "bert.pooler.dense.bias",
    "next_sentence/kernel": "cls.seq_relationship.weight",
    "next_sentence/bias": "cls.seq_relationship.bias",
}


def save_pretrainer(
    model: keras.Model, config: BackboneConfig, vocabulary: Sequence[str], folder: str | Path
) -> None:
    """Writes a folder that `load_pretrainer`, `models.hf_weights.load_backbone` and Transformers read.

    Args:
        model: of `models.pretrainer.build_pretrainer`.
        config: the backbone's.
        vocabulary: tokens by id.
        folder: gets config.json, model.safetensors, vocab.txt and tokenizer_config.json.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"bert.{name}": tensor
        for name, tensor in backbone_tensors(model.get_layer("backbone")).items()
    }
    heads = _heads(model)
    for path, variable in heads.items():
        value = variable.numpy()
        tensors[_HEAD_NAMES[path]] = np.ascontiguousarray(value.T)
    has_pairs = "next_sentence/kernel" in heads
    (folder / CONFIG_FILE).write_text(json.dumps(_hf_config(config, has_pairs), indent=1) + "\n")
    (folder / VOCABULARY_FILE).write_text("".join(f"{token}\n" for token in vocabulary))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True}) + "\n"
    )
    safetensors.numpy.save_file(tensors, folder / WEIGHTS_FILE, {"format": "pt"})


def load_pretrainer(
    folder: str | Path, next_sentence: bool
) -> tuple[keras.Model, BackboneConfig, list[str]]:
    """Builds the model that a Hugging Face folder describes and gives it the folder's weights.

    A folder may lack heads (sentence encoders have none): they then start from random weights.

    Args:
        folder: holds `config.json` and `model.safetensors` of a BERT.
        next_sentence: whether the model gets a head for next sentences.

    Returns:
        The model of `models.pretrainer.build_pretrainer`, the backbone's config, and the Keras paths of the
        variables that the folder has nothing for.

    Raises:
        WeightsError: a file or a tensor of the backbone is missing, or a tensor has another shape than the
            config says.
    """
    config = read_backbone_config(folder)
    path = Path(folder) / WEIGHTS_FILE
    backbone = build_backbone(config, packed=True)
    assign_backbone(backbone, path)
    model = build_pretrainer(config, next_sentence, backbone)
    missing = []
    with safetensors.safe_open(path, framework="numpy") as tensors:
        names = set(tensors.keys())
        for keras_path, variable in _heads(model).items():
            name = _HEAD_NAMES[keras_path]
            if name not in names:
                missing.append(keras_path)
                continue
            value = tensors.get_tensor(name).T
            if value.shape != tuple(variable.shape):
                raise WeightsError(
                    f"{path}: {name} has shape {value.T.shape}, config.json asks for "
                    f"{tuple(variable.shape)[::-1]}"
                )
            variable.assign(value)
    return model, config, missing


def _heads(model: keras.Model) -> dict[str, keras.Variable]:
    return {v.path: v for v in model.trainable_variables if v.path in _HEAD_NAMES}


def _hf_config(config: BackboneConfig, has_pairs: bool) -> dict[str, object]:
    return {
        "architectures": ["BertForPreTraining" if has_pairs else "BertForMaskedLM"],
        "model_type": "bert",
        "vocab_size": config.vocabulary_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "hidden_size": config.hidden_dim,
        "intermediate_size": config.intermediate_dim,
        "max_position_embeddings": config.max_sequence_length,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "hidden_act": _ACTIVATIONS[config.gelu],
        "layer_norm_eps": 1e-12,
        "initializer_range": 0.02,
        "type_vocab_size": 2,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
    }
