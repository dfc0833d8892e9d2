"""Sciformer's own TFX components, a folder each."""

import importlib

# Kubeflow Pipelines v2 allows one dot in a custom artifact type's TYPE_NAME, `<package>.<Class>`,
# and imports it from there. Loaded on demand, so that reading a component's settings needs no TFX.
_ARTIFACT_TYPES = {
    "DataAudit": "components.data_audit.artifact",
    "ModelCard": "components.model_card.artifact",
    "Predictions": "components.prediction_writer.artifact",
    "Quarantine": "components.example_gen.quarantine",
    "TextBaselines": "components.text_baselines.artifact",
    "Vocabulary": "components.vocabulary_gen.artifact",
}


def __getattr__(name: str) -> type:
    if name not in _ARTIFACT_TYPES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ARTIFACT_TYPES[name]), name)
