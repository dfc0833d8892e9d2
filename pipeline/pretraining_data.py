"""What can be known of the documents that an encoder was pretrained on."""

import hashlib
import json
from pathlib import Path

from components.data_audit.config import Pretraining
from pipeline.configs import PipelineConfig, PretrainedConfig

_PROVENANCE_FILE = (
    "provenance.json"  # as components.pretrain_trainer.run_fn, which imports TensorFlow, names it
)
_ROWS = "PretrainExampleGen.pretrain_examples"


def find_pretraining(config: PipelineConfig, weights: Path | None) -> Pretraining:
    """The best source there is: keys given, the rows it read, what was held out, or nothing.

    Args:
        config: of the fine-tuning line.
        weights: the encoder's folder, None for random weights.
    """
    if keys := config.audit.pretraining_keys:
        return Pretraining("keys", str(Path(keys).resolve()), _hash(Path(keys)))
    if weights is None:
        return Pretraining("none")
    rows = _rows(weights, config.model.pretrained) if config.model.pretrained else None
    if rows:
        return Pretraining("examples", str(rows))
    provenance = weights / _PROVENANCE_FILE
    if provenance.is_file():
        return Pretraining("provenance", str(provenance), _hash(provenance))
    return Pretraining("unknown")


def _rows(weights: Path, wanted: PretrainedConfig) -> Path | None:
    """The rows of the run that pushed the encoder, if both are still there."""
    for path in Path(wanted.root, wanted.pipeline).resolve().glob("*/summary.json"):
        summary = json.loads(path.read_text())
        uris = summary["artifacts"].get(_ROWS)
        if uris and summary["pushed"] and Path(summary["pushed"]["path"]) == weights:
            rows = Path(uris[0])
            return rows if any(rows.glob("Split-*/*")) else None
    return None


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
