"""Everything that a finished run has left behind, read for its report. Imports no TFX."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.evaluator.verdict import VERDICT_FILE, Verdict

SUMMARY_FILE, CONFIG_FILE = "summary.json", "config.json"
_TOKEN_IDS = "token_ids"
_Read = TypeVar("_Read")


class RunError(Exception):
    """There is no such run, or it has no summary."""


@dataclasses.dataclass(frozen=True)
class Lengths:
    """Tokens a text, as TFDV's quantiles.

    Attributes:
        edges: float [bins + 1], ascending.
        counts: float [bins] texts between two edges.
    """

    edges: np.ndarray
    counts: np.ndarray


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """What the report is made of; what a run did not come to is None or empty.

    Attributes:
        folder: of the run.
        summary: `summary.json`.
        config: `config.json`, every setting with its default.
        verdict: the gate's.
        language_model: the pretraining line's `language_model_evaluation.json`.
        history: the model run's `history.json`: epochs and updates.
        audit: the data audit's `audit.json`.
        drift: the data validator's comparison with the last blessed run's data.
        serving: the serving check's `validation.json`.
        lengths: of all splits' texts, cut to the model's length.
        labels: how many examples each label has, by split.
        targets: of labels that are numbers, their mean and spread, by split.
        unreadable: which of the above could not be read, and why, a sentence each.
    """

    folder: Path
    summary: dict[str, Any]
    config: dict[str, Any]
    verdict: Verdict | None = None
    language_model: dict[str, Any] | None = None
    history: dict[str, Any] | None = None
    audit: dict[str, Any] | None = None
    drift: dict[str, Any] | None = None
    serving: dict[str, Any] | None = None
    lengths: Lengths | None = None
    labels: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    targets: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    unreadable: tuple[str, ...] = ()

    @property
    def is_pretraining(self) -> bool:
        """Whether the line makes a language model, not a classifier."""
        return "examples" in self.config

    @classmethod
    def read(cls, folder: Path) -> "RunRecord":
        """Reads a run's folder and the artifacts that its summary names.

        Raises:
            RunError: there is no summary.
        """
        path = folder / SUMMARY_FILE
        if not path.is_file():
            raise RunError(f"{folder}: no {SUMMARY_FILE}; the run has not ended, or was killed")
        summary = json.loads(path.read_text())
        reader = _Reader(summary["artifacts"])
        config = folder / CONFIG_FILE
        return cls(
            folder=folder,
            summary=summary,
            config=json.loads(config.read_text()) if config.is_file() else {},
            verdict=reader.read("evaluation", VERDICT_FILE, lambda path: Verdict.read(path.parent)),
            language_model=reader.json("evaluation", "language_model_evaluation.json"),
            history=reader.json("model_run", "history.json"),
            audit=reader.json("audit", "audit.json"),
            drift=reader.json("anomalies", "drift.json"),
            serving=reader.json("blessing", "validation.json"),
            lengths=reader.read("post_transform_stats", "FeatureStats.pb", _lengths),
            labels=reader.read("statistics", "", _labels) or {},
            targets=reader.read("statistics", "", _targets) or {},
            unreadable=tuple(reader.unreadable),
        )


class _Reader:
    """Finds files of artifacts by output key; what is there but broken is told, not raised."""

    def __init__(self, artifacts: dict[str, list[str]]):
        self._uris = [
            (name.partition(".")[2], uri) for name, uris in artifacts.items() for uri in uris
        ]
        self.unreadable: list[str] = []

    def read(self, key: str, file: str, parse: Callable[[Path], _Read]) -> _Read | None:
        for path in (Path(uri, file) for found, uri in self._uris if found == key):
            if not path.exists():
                continue
            try:
                return parse(path)
            except Exception as error:  # of whatever kind: the rest of the report is still of use
                self.unreadable.append(f"{path}: {type(error).__name__}: {error}")
        return None

    def json(self, key: str, file: str) -> dict[str, Any] | None:
        return self.read(key, file, lambda path: json.loads(path.read_text()))


def _features(path: Path) -> dict[str, statistics_pb2.FeatureNameStatistics]:
    statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
    return {feature.path.step[0]: feature for feature in statistics.datasets[0].features}


def _lengths(path: Path) -> Lengths | None:
    feature = _features(path).get(_TOKEN_IDS)
    if feature is None:
        return None
    common = getattr(feature, feature.WhichOneof("stats")).common_stats
    buckets = common.num_values_histogram.buckets
    if not buckets:
        return None
    edges = [buckets[0].low_value, *(bucket.high_value for bucket in buckets)]
    return Lengths(np.array(edges), np.array([bucket.sample_count for bucket in buckets]))


def _labels(folder: Path) -> dict[str, dict[str, int]]:
    found = {}
    for path in sorted(folder.glob("Split-*/FeatureStats.pb")):
        if (label := _features(path).get("label")) is not None:
            buckets = label.string_stats.rank_histogram.buckets
            if buckets:
                split = path.parent.name.removeprefix("Split-")
                found[split] = {bucket.label: int(bucket.sample_count) for bucket in buckets}
    return found


def _targets(folder: Path) -> dict[str, dict[str, float]]:
    found = {}
    for path in sorted(folder.glob("Split-*/FeatureStats.pb")):
        label = _features(path).get("label")
        if label is not None and label.HasField("num_stats"):
            stats = label.num_stats
            found[path.parent.name.removeprefix("Split-")] = {
                "mean": stats.mean,
                "standard deviation": stats.std_dev,
                "least": stats.min,
                "median": stats.median,
                "largest": stats.max,
            }
    return found
