"""Import of BERT weights from a Hugging Face folder (config.json, model.safetensors, vocab.txt)."""

import json
from pathlib import Path

import keras
import numpy as np
import safetensors

from models.backbone import build_backbone
from models.config import BackboneConfig

_GELU = {"gelu": "exact", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}

# Keras variable path inside a transformer layer → Hugging Face name inside `encoder.layer.N`.
_LAYER_NAMES = {
    "self_attention_layer/query": "attention.self.query",
    "self_attention_layer/key": "attention.self.key",
    "self_attention_layer/value": "attention.self.value",
    "self_attention_layer/attention_output": "attention.output.dense",
    "self_attention_layer_norm": "attention.output.LayerNorm",
    "feedforward_intermediate_dense": "intermediate.dense",
    "feedforward_output_dense": "output.dense",
    "feedforward_layer_norm": "output.LayerNorm",
}
_EMBEDDING_NAMES = {
    "token_embedding/embeddings": "word_embeddings.weight",
    "position_embedding/embeddings": "position_embeddings.weight",
    "segment_embedding/embeddings": "token_type_embeddings.weight",
    "embeddings_layer_norm/gamma": "LayerNorm.weight",
    "embeddings_layer_norm/beta": "LayerNorm.bias",
}
_LEAF_NAMES = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}


class WeightsError(ValueError):
    """The folder does not hold BERT weights that fit its config."""


def read_backbone_config(folder: str | Path) -> BackboneConfig:
    """Reads a Hugging Face BERT `config.json`.

    Raises:
        WeightsError: no such file, no BERT, or an activation we do not have.
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such file; give a Hugging Face folder with config.json, model.safetensors, vocab.txt"
        )
    config = json.loads(path.read_text())
    if config.get("model_type") != "bert":
        raise WeightsError(f"{path}: model_type is {config.get('model_type')!r}, expected 'bert'")
    if config["hidden_act"] not in _GELU:
        raise WeightsError(
            f"{path}: hidden_act is {config['hidden_act']!r}, expected one of {sorted(_GELU)}"
        )
    return BackboneConfig(
        vocabulary_size=config["vocab_size"],
        num_layers=config["num_hidden_layers"],
        num_heads=config["num_attention_heads"],
        hidden_dim=config["hidden_size"],
        intermediate_dim=config["intermediate_size"],
        max_sequence_length=config["max_position_embeddings"],
        dropout=config["hidden_dropout_prob"],
        gelu=_GELU[config["hidden_act"]],
    )


def load_backbone(folder: str | Path) -> tuple[keras.Model, BackboneConfig]:
    """Builds the encoder a Hugging Face folder describes and gives it the folder's weights.

    Args:
        folder: holds `config.json` and `model.safetensors` of a BertModel or of a model with a `bert.` part.

    Returns:
        The model of `build_backbone` and its config.

    Raises:
        WeightsError: a tensor is missing or has another shape than the config says.
    """
    config = read_backbone_config(folder)
    backbone = build_backbone(config)
    path = Path(folder) / "model.safetensors"
    with safetensors.safe_open(path, framework="numpy") as tensors:
        names = set(tensors.keys())
        prefix = "bert." if any(name.startswith("bert.") for name in names) else ""
        for variable in backbone.trainable_variables:
            name = prefix + hf_name(variable.path)
            if name not in names:
                raise WeightsError(f"{path}: no tensor {name!r} (for {variable.path})")
            variable.assign(
                _fit(tensors.get_tensor(name), tuple(variable.shape), f"{path}: {name}")
            )
    return backbone, config


def hf_name(variable_path: str) -> str:
    """The Hugging Face name of a variable of `build_backbone`, by its Keras path."""
    if variable_path.startswith("transformer_layer_"):
        layer, _, rest = variable_path.partition("/")
        module, _, leaf = rest.rpartition("/")
        return (
            f"encoder.layer.{layer.rpartition('_')[2]}.{_LAYER_NAMES[module]}.{_LEAF_NAMES[leaf]}"
        )
    return "embeddings." + _EMBEDDING_NAMES[variable_path]


def _fit(tensor: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Turns torch's [out, in] kernels into Keras's [in, (heads, head size)] or [(heads, head size), out]."""
    if tensor.size != np.prod(shape):
        raise WeightsError(f"{where} has shape {tensor.shape}, the model needs {shape}")
    is_kernel = tensor.ndim == 2 and ".weight" in where and "embeddings" not in where
    return (tensor.T if is_kernel else tensor).reshape(shape)
