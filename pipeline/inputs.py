"""What a run reads from outside: data, weights, vocabulary, schema; found (or fetched), and fingerprinted."""

import dataclasses
import difflib
import hashlib
from collections.abc import Iterable
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


def check_inputs(config: PipelineConfig) -> None:
    """Looks whether all that the config names is there or can be fetched; fetches nothing.

    Raises:
        InputError: with a line for each thing that is not there.
    """
    data, model = config.data, config.model
    problems = []
    if data.dataset and data.dataset not in DATASETS:
        problems.append(
            f"data.dataset: {data.dataset!r} is not known{_hint(data.dataset, DATASETS)}"
        )
    if data.path and not Path(data.path).is_dir():
        problems.append(f"data.path: {Path(data.path).resolve()}: no such folder")
    for path in map(Path, data.reader.files()):
        if not path.is_file():
            problems.append(f"data: {path.resolve()}: no such file")
    if model.weights and model.weights not in DATASETS:
        files = ["config.json", "model.safetensors"] + ["vocab.txt"] * (model.vocabulary is None)
        missing = [name for name in files if not Path(model.weights, name).is_file()]
        if missing:
            problems.append(
                f"model.weights: {Path(model.weights).resolve()}: no {', '.join(missing)} there"
                f"{_hint(model.weights, DATASETS)}"
            )
    if model.vocabulary and not Path(model.vocabulary).is_file():
        problems.append(f"model.vocabulary: {Path(model.vocabulary).resolve()}: no such file")
    features, _ = example_features(data)
    for name in config.gate.slices:
        if name not in features:
            problems.append(f"gate.slices: no feature is called {name!r}{_hint(name, features)}")
    if problems:
        raise InputError("\n".join(problems))


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def find_inputs(config: PipelineConfig) -> Inputs:
    """Resolves names and paths; what is known by name is fetched the first time.

    Raises:
        InputError: see `check_inputs`.
        pipeline.datasets.fetch.DatasetError: a named data set could not be fetched.
    """
    check_inputs(config)
    if config.data.dataset:
        data = fetch(config.data.dataset)
    else:
        assert config.data.path  # DataConfig asks for one of the two
        data = Path(config.data.path).resolve()
    weights = None
    if name := config.model.weights:
        weights = fetch(name) if name in DATASETS else Path(name).resolve()
    vocabulary = Path(config.model.vocabulary) if config.model.vocabulary else None
    if vocabulary is None:
        assert weights is not None  # ModelConfig asks for a vocabulary where there are no weights
        vocabulary = weights / "vocab.txt"
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
