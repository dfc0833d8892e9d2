"""What a run reads from outside: data, weights, vocabulary, schema; found (or fetched), and fingerprinted."""

import dataclasses
import difflib
import hashlib
from collections.abc import Iterable
from pathlib import Path

from google.protobuf import text_format

from components.data_audit.config import Pretraining
from components.data_validator.schema import LABEL_KINDS, FeatureKind, build_schema
from models.whole_file import write_whole_file
from pipeline.configs import DataConfig, PipelineConfig, PretrainedConfig, RunConfig
from pipeline.datasets.fetch import fetch
from pipeline.datasets.registry import DATASETS
from pipeline.few_shot_config import FewShotConfig
from pipeline.pretrain_config import AnyConfig, MethodConfig, PretrainConfig
from pipeline.pretrained import PretrainedError, pushed_model
from pipeline.pretraining_data import find_pretraining

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
        schema_text: the schema itself, for steps that do not see this machine's files.
        pretraining: what is known of the documents behind the weights.
    """

    data: str
    schema: str
    vocabulary: str
    vocabulary_hash: str
    weights: str | None
    weights_hash: str | None
    schema_text: str | None = None
    pretraining: Pretraining = dataclasses.field(default_factory=Pretraining)


@dataclasses.dataclass(frozen=True)
class PretrainInputs:
    """The same of a pretraining run, whose vocabulary is learned unless it is given.

    Attributes:
        data: folder of the data files.
        schema: path of the schema, named after its content.
        vocabulary: path of a given vocab.txt or sentencepiece.model, None if it is learned.
        weights: Hugging Face folder to go on from, None for random weights.
        schema_text: the schema itself, for steps that do not see this machine's files.
    """

    data: str
    schema: str
    vocabulary: str | None
    vocabulary_hash: str | None
    weights: str | None
    weights_hash: str | None
    schema_text: str | None = None


def check_inputs(config: AnyConfig) -> None:
    """Looks whether all that the config names is there or can be fetched; fetches nothing.

    Raises:
        InputError: with a line for each thing that is not there.
    """
    if isinstance(config, MethodConfig):
        problems = [f"pretrain.{line}" for line in _pretrain_problems(config.pretrain)]
        problems += [f"finetune.{line}" for line in _finetune_problems(config.finetune)]
    elif isinstance(config, PretrainConfig):
        problems = _pretrain_problems(config)
    elif isinstance(config, FewShotConfig):
        problems = _data_problems(config.data)
        problems += _pretrained_problems("pretrained", config.pretrained)
    else:
        problems = _finetune_problems(config)
        if config.model.pretrained:
            problems += _pretrained_problems("model.pretrained", config.model.pretrained)
    if problems:
        raise InputError("\n".join(problems))


def _finetune_problems(config: PipelineConfig) -> list[str]:
    model = config.model
    problems = _data_problems(config.data)
    if model.weights:
        problems += _weights_problems(model.weights, needs_vocabulary=model.vocabulary is None)
    if model.vocabulary and not Path(model.vocabulary).is_file():
        problems.append(f"model.vocabulary: {Path(model.vocabulary).resolve()}: no such file")
    keys = config.audit.pretraining_keys
    if keys and not Path(keys).is_file():
        problems.append(f"audit.pretraining_keys: {Path(keys).resolve()}: no such file")
    features, _ = example_features(config.data)
    for name in config.gate.slices:
        if name not in features:
            problems.append(f"gate.slices: no feature is called {name!r}{_hint(name, features)}")
    for name in config.gate.fairness.features if config.gate.fairness else ():
        if name not in features:
            problems.append(f"gate.fairness: no feature is called {name!r}{_hint(name, features)}")
    return problems


def _pretrain_problems(config: PretrainConfig) -> list[str]:
    problems = _data_problems(config.data)
    if config.model.weights:
        problems += _weights_problems(config.model.weights, needs_vocabulary=True)
    vocabulary = config.vocabulary.path if config.vocabulary else None
    if vocabulary and not Path(vocabulary).is_file():
        problems.append(f"vocabulary.path: {Path(vocabulary).resolve()}: no such file")
    problems += [
        f"examples: {Path(path).resolve()}: no such file"
        for path in config.examples.files()
        if not Path(path).is_file()
    ]
    return problems


def _data_problems(data: DataConfig) -> list[str]:
    problems = []
    if data.dataset and data.dataset not in DATASETS:
        problems.append(
            f"data.dataset: {data.dataset!r} is not known{_hint(data.dataset, DATASETS)}"
        )
    if data.path and not Path(data.path).is_dir():
        problems.append(f"data.path: {Path(data.path).resolve()}: no such folder")
    problems += [
        f"data: {Path(path).resolve()}: no such file"
        for path in data.reader.files()
        if not Path(path).is_file()
    ]
    return problems


def _pretrained_problems(key: str, wanted: PretrainedConfig) -> list[str]:
    try:
        pushed_model(wanted)
    except PretrainedError as error:
        return [f"{key}: {error}"]
    return []


def _weights_problems(weights: str, needs_vocabulary: bool) -> list[str]:
    if weights in DATASETS:
        return []
    files = ["config.json", "model.safetensors"] + ["vocab.txt"] * needs_vocabulary
    missing = [name for name in files if not Path(weights, name).is_file()]
    if not missing:
        return []
    return [
        f"model.weights: {Path(weights).resolve()}: no {', '.join(missing)} there"
        f"{_hint(weights, DATASETS)}"
    ]


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
    model = config.model
    weights = pushed_model(model.pretrained) if model.pretrained else _weights(model.weights)
    vocabulary = Path(model.vocabulary) if model.vocabulary else None
    if vocabulary is None:
        assert weights is not None  # ModelConfig asks for a vocabulary where there are no weights
        vocabulary = weights / "vocab.txt"
    return Inputs(
        data=str(data_folder(config.data)),
        schema=str(_write_schema(config, config.data)),
        vocabulary=str(vocabulary.resolve()),
        vocabulary_hash=_hash_file(vocabulary),
        weights=str(weights) if weights else None,
        weights_hash=_hash_file(weights / "model.safetensors") if weights else None,
        pretraining=find_pretraining(config, weights),
    )


def find_pretrain_inputs(config: PretrainConfig) -> PretrainInputs:
    """The same for the pretraining line.

    Raises:
        InputError: see `check_inputs`.
        pipeline.datasets.fetch.DatasetError: a named data set could not be fetched.
    """
    check_inputs(config)
    weights = _weights(config.model.weights)
    given = Path(config.vocabulary.path) if config.vocabulary and config.vocabulary.path else None
    vocabulary = weights / "vocab.txt" if weights else given
    return PretrainInputs(
        data=str(data_folder(config.data)),
        schema=str(_write_schema(config, config.data)),
        vocabulary=str(vocabulary.resolve()) if vocabulary else None,
        vocabulary_hash=_hash_file(vocabulary) if vocabulary else None,
        weights=str(weights) if weights else None,
        weights_hash=_hash_file(weights / "model.safetensors") if weights else None,
    )


def _weights(weights: str | None) -> Path | None:
    if weights is None:
        return None
    return fetch(weights) if weights in DATASETS else Path(weights).resolve()


def data_folder(data: DataConfig) -> Path:
    """Where the data is; what is known by name is fetched the first time.

    Raises:
        pipeline.datasets.fetch.DatasetError: a named data set could not be fetched.
    """
    if data.dataset:
        return fetch(data.dataset)
    assert data.path  # DataConfig asks for one of the two
    return Path(data.path).resolve()


def example_features(data: DataConfig) -> tuple[dict[str, FeatureKind], list[str]]:
    """Features of the examples the reader will write: kinds by name, and which a row may lack."""
    features: dict[str, FeatureKind] = dict(_SHARED)
    optional: list[str] = []
    if data.medline:
        features |= _MEDLINE
        is_labelled = data.medline.label is not None
    else:
        assert data.text is not None  # DataConfig asks for one of the two
        features |= data.text.columns
        optional = [name for name, kind in data.text.columns.items() if kind != "bytes"]
        is_labelled = data.text.label_column is not None
    features["label"] = LABEL_KINDS[data.reader.task]
    if not is_labelled:
        del features["label"]
    if data.reader.has_pairs:
        features["text_pair"] = "bytes"
    if data.reader.spans:
        features["span"] = "bytes"
    return features, optional


def schema_text(data: DataConfig) -> str:
    """The schema of the examples the reader will write, as text proto."""
    features, optional = example_features(data)
    medline, text = data.medline, data.text
    classes = medline.label.classes if medline and medline.label else text.classes if text else None
    return text_format.MessageToString(build_schema(features, optional, classes))


def _write_schema(config: RunConfig, data: DataConfig) -> Path:
    """The schema under a name made of its content, so that TFX's cache notices a change."""
    content = schema_text(data)
    folder = Path(config.root, config.name, "schema").resolve()
    path = folder / hashlib.sha256(content.encode()).hexdigest()[:16] / "schema.pbtxt"
    if not path.exists():
        write_whole_file(path, content)
    return path


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()[:16]
