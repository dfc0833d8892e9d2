"""BERT weights from a Hugging Face folder (config.json, model.safetensors, vocab.txt), and back."""

import json
from pathlib import Path

import keras
import numpy as np
import safetensors

from models.backbone import build_backbone
from models.config import BackboneConfig

# What `build_backbone` always does; BERT's defaults, which a config may leave out.
_FIXED = {"position_embedding_type": "absolute", "layer_norm_eps": 1e-12}
_GELU = {"gelu": "exact", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}

# Keras layer inside a transformer layer → Hugging Face's, inside `encoder.layer.N`; several are side by side
# in one of ours.
_LAYER_NAMES = {
    "attention_qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention_output": ("attention.output.dense",),
    "attention_layer_norm": ("attention.output.LayerNorm",),
    "feedforward_intermediate": ("intermediate.dense",),
    "feedforward_output": ("output.dense",),
    "feedforward_layer_norm": ("output.LayerNorm",),
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
        WeightsError: no such file, no BERT, or a form of it we do not have.
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such file; give a Hugging Face folder with config.json, model.safetensors, vocab.txt"
        )
    config = _FIXED | json.loads(path.read_text())
    for key, expected in {"model_type": "bert", **_FIXED}.items():
        if config.get(key) != expected:
            raise WeightsError(f"{path}: {key} is {config.get(key)!r}, expected {expected!r}")
    if config.get("hidden_act") not in _GELU:
        raise WeightsError(
            f"{path}: hidden_act is {config.get('hidden_act')!r}, expected one of {sorted(_GELU)}"
        )
    try:
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
    except KeyError as error:
        raise WeightsError(f"{path}: {error.args[0]} is missing") from None


def load_backbone(
    folder: str | Path, separator: int | None = None
) -> tuple[keras.Model, BackboneConfig]:
    """Builds the encoder a Hugging Face folder describes and gives it the folder's weights.

    Args:
        folder: holds `config.json` and `model.safetensors` of a BertModel or of a model with a `bert.` part.
        separator: see `build_backbone`.

    Returns:
        The model of `build_backbone` and its config.

    Raises:
        WeightsError: a file or a tensor is missing, or a tensor has another shape than the config says.
    """
    config = read_backbone_config(folder)
    backbone = build_backbone(config, separator=separator)
    assign_backbone(backbone, Path(folder) / "model.safetensors")
    return backbone, config


def assign_backbone(backbone: keras.Model, path: Path) -> None:
    """Gives a model of `build_backbone`, of either form, the weights in a model.safetensors.

    Raises:
        WeightsError: see `load_backbone`.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    with safetensors.safe_open(path, framework="numpy") as tensors:
        names = set(tensors.keys())
        prefix = "bert." if any(name.startswith("bert.") for name in names) else ""
        for variable in backbone.trainable_variables:
            hf = [prefix + name for name in hf_names(variable.path)]
            if missing := [name for name in hf if name not in names]:
                raise WeightsError(f"{path}: no tensor {missing[0]!r} (for {variable.path})")
            # Torch's kernels are [out, in], Keras's [in, out].
            shape = (
                tuple(variable.shape)[::-1] if variable.name == "kernel" else tuple(variable.shape)
            )
            expected = (shape[0] // len(hf), *shape[1:])
            parts = [tensors.get_tensor(name) for name in hf]
            for name, part in zip(hf, parts, strict=True):
                if part.shape != expected:
                    raise WeightsError(
                        f"{path}: {name} has shape {part.shape}, config.json asks for {expected}"
                    )
            value = np.concatenate(parts)
            variable.assign(value.T if variable.name == "kernel" else value)


def backbone_tensors(backbone: keras.Model) -> dict[str, np.ndarray]:
    """The weights of a model of `build_backbone` by Hugging Face's names, in its shapes: float32."""
    tensors: dict[str, np.ndarray] = {}
    for variable in backbone.trainable_variables:
        value, names = variable.numpy(), hf_names(variable.path)
        parts = np.split(value.T if variable.name == "kernel" else value, len(names))
        tensors |= {
            name: np.ascontiguousarray(part) for name, part in zip(names, parts, strict=True)
        }
    return tensors


def hf_names(variable_path: str) -> list[str]:
    """Hugging Face's names of what is side by side in a variable of `build_backbone`, by its Keras path."""
    if variable_path.startswith("transformer_layer_"):
        layer, module, leaf = variable_path.split("/")
        number = layer.rpartition("_")[2]
        return [
            f"encoder.layer.{number}.{name}.{_LEAF_NAMES[leaf]}" for name in _LAYER_NAMES[module]
        ]
    return ["embeddings." + _EMBEDDING_NAMES[variable_path]]
