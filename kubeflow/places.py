"""What a line reads on the cluster, in place of what `pipeline.inputs` finds on this machine."""

import hashlib

from components.data_audit.config import Pretraining
from pipeline.config_loader import ConfigError
from pipeline.configs import PipelineConfig
from pipeline.inputs import Inputs, PretrainInputs, schema_text
from pipeline.kubeflow_config import KubeflowConfig
from pipeline.pretrain_config import PretrainConfig


def kubeflow_section(config: PipelineConfig | PretrainConfig) -> KubeflowConfig:
    """The section that says how the line runs on a cluster.

    Raises:
        pipeline.config_loader.ConfigError: it is missing.
    """
    if config.kubeflow is None:
        raise ConfigError(
            ["kubeflow: the section is missing; docs/kubeflow.md says what belongs into it"]
        )
    return config.kubeflow


def cluster_inputs(config: PipelineConfig) -> Inputs:
    """Paths as the steps see them; nothing is read here.

    A file's fingerprint is that of its path: what lies there is taken not to change.

    Raises:
        pipeline.config_loader.ConfigError: a path is missing.
    """
    places = kubeflow_section(config)
    model = config.model
    starts_from_weights = bool(model.weights or model.pretrained)
    vocabulary = places.vocabulary or (f"{places.weights}/vocab.txt" if places.weights else None)
    _require(starts_from_weights == (places.weights is not None), "weights", starts_from_weights)
    if vocabulary is None:
        raise ConfigError(["kubeflow.vocabulary: the key is missing; it is required"])
    return Inputs(
        data=places.data,
        schema="",
        vocabulary=vocabulary,
        vocabulary_hash=_hash(vocabulary),
        weights=places.weights,
        weights_hash=_hash(places.weights) if places.weights else None,
        schema_text=schema_text(config.data),
        pretraining=_pretraining(config),
    )


def cluster_pretrain_inputs(config: PretrainConfig) -> PretrainInputs:
    """The same for the pretraining line.

    Raises:
        pipeline.config_loader.ConfigError: a path is missing.
    """
    places = kubeflow_section(config)
    starts_from_weights = config.model.weights is not None
    _require(starts_from_weights == (places.weights is not None), "weights", starts_from_weights)
    vocabulary = places.vocabulary or (f"{places.weights}/vocab.txt" if places.weights else None)
    is_given = starts_from_weights or bool(config.vocabulary and config.vocabulary.path)
    if is_given != (vocabulary is not None):
        reason = "required for a given vocabulary" if is_given else "of no use for a learned one"
        raise ConfigError([f"kubeflow.vocabulary: the key is {reason}"])
    return PretrainInputs(
        data=places.data,
        schema="",
        vocabulary=vocabulary,
        vocabulary_hash=_hash(vocabulary) if vocabulary else None,
        weights=places.weights,
        weights_hash=_hash(places.weights) if places.weights else None,
        schema_text=schema_text(config.data),
    )


def _pretraining(config: PipelineConfig) -> Pretraining:
    """What can be known there of the documents behind the weights: nothing, unless their keys are given."""
    if keys := config.audit.pretraining_keys:
        return Pretraining("keys", keys, _hash(keys))
    return Pretraining("unknown" if kubeflow_section(config).weights else "none")


def _require(is_right: bool, key: str, is_needed: bool) -> None:
    if not is_right:
        reason = (
            "the key is missing; the model starts from weights"
            if is_needed
            else "the model starts from random weights; leave the key out"
        )
        raise ConfigError([f"kubeflow.{key}: {reason}"])


def _hash(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:16]
