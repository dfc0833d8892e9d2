"""What a run reads from outside: data, weights, vocabulary, schema; found (or fetched), and fingerprinted."""

import dataclasses
import hashlib
from pathlib import Path

from google.protobuf import text_format

from components.data_validator.schema import FeatureKind, build_schema
from pipeline.configs import DataConfig, PipelineConfig
from pipeline.datasets.fetch import fetch
from pipeline.datasets.registry import DATASETS

_SHARED: dict[str, FeatureKind] = {
    "key": "bytes",
    "text": "bytes",
    "label": "bytes",
    "length_band": "bytes",
}
_MEDLINE: dict[str, FeatureKind] = {
    "title": "bytes",
    "abstract": "bytes",
    "section_labels": "bytes*",
    "year": "int64",
    "year_band": "bytes",
    "journal": "bytes",
    "language": "bytes",
    "publication_type": "bytes*",
    "mesh": "bytes*",
    "mesh_major": "bytes*",
}


class InputError(Exception):
    """Something the config names is not there."""


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Paths and content hashes (SHA-256, 16 digits) of what a run reads.

    Attributes:
        data: folder of the data files.
        schema: path of the schema, named after its content.
        vocabulary: path of a vocab.txt.
        weights: Hugging Face folder, None for random weights.
    """

    data: str
    schema: str
    vocabulary: str
    vocabulary_hash: str
    weights: str | None
    weights_hash: str | None


def find_inputs(config: PipelineConfig) -> Inputs:
    """Resolves names and paths; what is known by name is fetched the first time.

    Raises:
        InputError: a path does not exist.
        pipeline.datasets.fetch.DatasetError: a named data set could not be fetched.
    """
    data = _named_or_path(config.data.dataset, config.data.path, "data.path")
    weights = None
    if config.model.weights:
        known = config.model.weights in DATASETS
        weights = _named_or_path(
            config.model.weights if known else None, config.model.weights, "model.weights"
        )
    vocabulary = Path(config.model.vocabulary) if config.model.vocabulary else None
    if vocabulary is None:
        assert weights is not None  # ModelConfig asks for a vocabulary where there are no weights
        vocabulary = weights / "vocab.txt"
    if not vocabulary.is_file():
        raise InputError(f"model.vocabulary: {vocabulary}: no such file")
    return Inputs(
        data=str(data),
        schema=str(_write_schema(config)),
        vocabulary=str(vocabulary.resolve()),
        vocabulary_hash=_hash_file(vocabulary),
        weights=str(weights) if weights else None,
        weights_hash=_hash_file(weights / "model.safetensors") if weights else None,
    )


def example_features(data: DataConfig) -> tuple[dict[str, FeatureKind], list[str]]:
    """Features of the examples the reader will write: kinds by name, and which a row may lack."""
    if data.medline:
        return _SHARED | _MEDLINE, []
    assert data.text is not None
    numbers = [name for name, kind in data.text.columns.items() if kind != "bytes"]
    return _SHARED | data.text.columns, numbers


def _named_or_path(name: str | None, path: str | None, key: str) -> Path:
    if name is not None:
        return fetch(name)
    assert path is not None
    folder = Path(path).resolve()
    if not folder.is_dir():
        raise InputError(f"{key}: {folder}: no such folder")
    return folder


def _write_schema(config: PipelineConfig) -> Path:
    """The schema under a name made of its content, so that TFX's cache notices a change."""
    features, optional = example_features(config.data)
    medline, text = config.data.medline, config.data.text
    classes = medline.label.classes if medline and medline.label else text.classes if text else None
    content = text_format.MessageToString(build_schema(features, optional, classes)).encode()
    folder = Path(config.root, config.name, "schema").resolve()
    path = folder / hashlib.sha256(content).hexdigest()[:16] / "schema.pbtxt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(content)
        part.rename(path)
    return path


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()[:16]
