"""Compares statistics with the schema, the splits with each other, and counts what was lost."""

import logging
import os
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx import types
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, writer_utils

from components.beam_executor import split_files
from components.data_validator.config import ValidationConfig
from components.data_validator.drift import (
    NOTHING_EARLIER,
    Change,
    Drift,
    distribution_changes,
    profile_changes,
    text_profile,
)
from components.data_validator.newest_span import newest_span_changes
from components.data_validator.schema import label_task
from components.data_validator.shares import chance, mean_chance, numbers, shares, shift
from components.example_gen.driver import SPANS_PROPERTY
from components.example_gen.quarantine import Counts, read_counts, rejected_lines

_TOP_REASONS = 5
_MAX_CLASSES = 10_000
_SKEW = "_skew"
_LABEL, _LENGTH_BAND = "label", "length_band"
_DRIFT_KEYS = {
    _LABEL: "max_drift (with what chance explains)",
    _LENGTH_BAND: "max_drift (with what chance explains)",
    "words_per_text": "max_length_change",
    "pieces_per_word": "max_pieces_change",
    "coverage": "max_coverage_drop",
}


logger = logging.getLogger("sciformer")


class DataValidationError(ValueError):
    """The data must not be trained on; the message lists every problem."""


class Executor(base_executor.BaseExecutor):
    """Writes TFDV anomalies for each split and stops the line if there are any."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Validates.

        Args:
            input_dict: `statistics`, `schema` and `quarantine`, one artifact each; and where there are any,
                `examples` and, of the last blessed model's data, `earlier_statistics` and
                `earlier_anomalies`, empty ones if there is no such model.
            output_dict: `anomalies`, with `drift.json` (components.data_validator.drift.Drift).
            exec_properties: `validation`, a JSON dump of ValidationConfig, and with `examples`
                `vocabulary`, path of a vocab.txt.

        Raises:
            DataValidationError: too many bad rows, an empty split, skew, drift, an unseen label, or a
                feature that is not as the schema says.
        """
        config = ValidationConfig.model_validate_json(exec_properties["validation"])
        quarantine = artifact_utils.get_single_uri(input_dict["quarantine"])
        problems = _quarantine_problems(read_counts(quarantine), quarantine, config)

        artifact = artifact_utils.get_single_instance(input_dict["statistics"])
        statistics = {
            split: stats_artifact_utils.load_statistics(artifact, split).proto()
            for split in artifact_utils.decode_split_names(artifact.split_names)
        }
        problems += _empty_split_problems(statistics, config)
        if (
            not problems
        ):  # TFDV has nothing to compare in empty splits, and the rows' reasons come first
            schema = io_utils.SchemaReader().read(
                io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(input_dict["schema"]))
            )
            anomalies = _anomalies(statistics, schema, config)
            _write(anomalies, artifact_utils.get_single_instance(output_dict["anomalies"]))
            problems += _label_problems(statistics, schema, config)
            problems += [
                line for split, found in anomalies.items() for line in _lines(split, found)
            ]
            drift = _drift(statistics["train"], input_dict, exec_properties, config)
            drift.write(artifact_utils.get_single_uri(output_dict["anomalies"]))
            if config.drift == "stop":
                problems += [_drift_line(change) for change in drift.drifted]
            for warning in drift.warnings:
                logger.info("%s", warning)
        if problems:
            raise DataValidationError("the data cannot be used:\n  " + "\n  ".join(problems))


def _drift(
    train: statistics_pb2.DatasetFeatureStatisticsList,
    input_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
    config: ValidationConfig,
) -> Drift:
    """Compares with the last blessed model's data, if there is any."""
    profile = None
    if examples := input_dict.get("examples"):
        files = split_files(examples[0], "train")
        profile = text_profile(files, exec_properties["vocabulary"])
    earlier = next(iter(input_dict.get("earlier_statistics", ())), None)
    if earlier is None or not earlier.split_names:  # PushedData's are empty where it finds nothing
        return Drift(compared_with=None, profile=profile, changes=(), warnings=(NOTHING_EARLIER,))
    statistics = stats_artifact_utils.load_statistics(earlier, "train").proto()
    changes = distribution_changes(train, statistics, config.max_drift)
    spans = examples[0].get_string_custom_property(SPANS_PROPERTY).split() if examples else []
    if len(spans) > 1:
        changes += newest_span_changes(files, spans[-1], statistics, config.max_drift)
    before = [Drift.read(artifact.uri) for artifact in input_dict.get("earlier_anomalies", ())]
    if profile and before and before[0] and before[0].profile:
        changes += profile_changes(profile, before[0].profile, config)
    drift = Drift(compared_with=earlier.uri, profile=profile, changes=tuple(changes), warnings=())
    warnings = tuple(_drift_line(change) for change in drift.drifted)
    return drift.model_copy(update={"warnings": warnings})


def _drift_line(change: Change) -> str:
    key = _DRIFT_KEYS[change.measure]
    return (
        f"drift: {change.sentence}; the difference is {change.difference:.3f}, validation.{key} allows "
        f"{change.allowed:.3f}"
    )


def _quarantine_problems(counts: Counts, uri: str, config: ValidationConfig) -> list[str]:
    bad = counts.quarantined / counts.read if counts.read else 0.0
    if bad <= config.max_bad_fraction:
        return []
    reasons = sorted(counts.quarantined_by_reason.items(), key=lambda item: -item[1])[:_TOP_REASONS]
    first = next(rejected_lines(uri), "")
    return [
        f"{counts.quarantined} of {counts.read} rows are bad ({bad:.1%}, validation.max_bad_fraction allows "
        f"{config.max_bad_fraction:.1%}): {', '.join(f'{reason} {n}' for reason, n in reasons)}",
        f"first bad row: {first}",
        f"all bad rows: {uri}",
    ]


def _empty_split_problems(
    statistics: dict[str, statistics_pb2.DatasetFeatureStatisticsList], config: ValidationConfig
) -> list[str]:
    return [
        f"split {split} has {n} examples, validation.min_split_examples asks for "
        f"{config.min_split_examples}: look at data.splits, and at what was quarantined or filtered"
        for split, stats in statistics.items()
        if (n := stats.datasets[0].num_examples if stats.datasets else 0)
        < config.min_split_examples
    ]


def _label_problems(
    statistics: dict[str, statistics_pb2.DatasetFeatureStatisticsList],
    schema: schema_pb2.Schema,
    config: ValidationConfig,
) -> list[str]:
    """What the schema cannot say of labels: there are several, and a vocabulary file can hold them."""
    train, task = statistics["train"], label_task(schema)
    if task == "regression":
        return _number_problems(statistics, config)
    labels = list(shares(train, _LABEL))
    problems = []
    if task == "multi_label" and not labels:
        problems.append("no example of split train has a class: there is nothing to learn")
    if task == "single_label" and len(labels) == 1:
        problems.append(f"split train has the one label {labels[0]!r}: a classifier needs several")
    if broken := next((label for label in labels if len(label.splitlines()) > 1), None):
        problems.append(f"split train has the label {broken!r}: a label must not hold a line break")
    return problems


def _number_problems(
    statistics: dict[str, statistics_pb2.DatasetFeatureStatisticsList], config: ValidationConfig
) -> list[str]:
    """Numbers that are all the same, or whose means differ between splits or from the baseline."""
    train = statistics["train"]
    own = numbers(train, _LABEL)
    if own is None:  # the schema asks for a number: TFDV has told
        return []
    if not own.deviation:
        return [f"all labels of split train are {own.mean:g}: there is nothing to learn"]
    others = [
        (f"split {split}", "max_label_skew", config.max_label_skew, other)
        for split, other in statistics.items()
        if split != "train"
    ]
    if config.baseline_statistics:
        baseline = _load_baseline(config.baseline_statistics)
        others.append(("baseline_statistics", "max_drift", config.max_drift, baseline))
    problems = []
    for name, key, limit, other in others:
        found, allowed = numbers(other, _LABEL), limit + mean_chance(train, other)
        if found and (difference := shift(own, found)) > allowed:
            problems.append(
                f"the mean label of split train is {own.mean:.4g}, of {name} {found.mean:.4g}: the "
                f"difference is {difference:.3f} standard deviations, validation.{key} (with what chance "
                f"explains) allows {allowed:.3f}"
            )
    return problems


def _anomalies(
    statistics: dict[str, statistics_pb2.DatasetFeatureStatisticsList],
    schema: schema_pb2.Schema,
    config: ValidationConfig,
) -> dict[str, anomalies_pb2.Anomalies]:
    """Each split against the schema; train also against the others (skew) and the baseline (drift)."""
    train = statistics["train"]
    features = {feature.name: feature for feature in schema.feature}
    if label_task(schema) == "regression":  # no shares to compare: see _number_problems
        del features[_LABEL]
    if _LABEL in features:
        _close_label_domain(features[_LABEL], train)
    baseline = None
    if config.baseline_statistics:
        baseline = _load_baseline(config.baseline_statistics)
        for name in {_LABEL, _LENGTH_BAND} & set(features):
            features[name].drift_comparator.infinity_norm.threshold = config.max_drift
    found = {
        split: tfdv.validate_statistics(train, schema, previous_statistics=baseline)
        if split == "train"
        else tfdv.validate_statistics(other, schema)
        for split, other in statistics.items()
    }
    for split, other in statistics.items():
        if split != "train":
            if _LABEL in features:
                allowed = min(1.0, config.max_label_skew + chance(train, other))
                features[_LABEL].skew_comparator.infinity_norm.threshold = allowed
            skew = tfdv.validate_statistics(train, schema, serving_statistics=other)
            found[f"train_{split}{_SKEW}"] = _only_skew(skew)
    return found


def _close_label_domain(
    label: schema_pb2.Feature, train: statistics_pb2.DatasetFeatureStatisticsList
) -> None:
    """Where the config names no classes, the train split's labels are the classes."""
    if label.string_domain.value:
        return
    inferred = tfdv.infer_schema(train, max_string_domain_size=_MAX_CLASSES)
    domain = next((d for d in inferred.string_domain if d.name == _LABEL), None)
    values = domain.value if domain else tfdv.get_feature(inferred, _LABEL).string_domain.value
    label.string_domain.value.extend(values)


def _load_baseline(folder: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    path = os.path.join(folder, "Split-train", "FeatureStats.pb")
    if not os.path.exists(path):
        raise DataValidationError(
            f"validation.baseline_statistics: {path} does not exist; give a StatisticsGen artifact's folder"
        )
    return tfdv.load_stats_binary(path)


def _only_skew(anomalies: anomalies_pb2.Anomalies) -> anomalies_pb2.Anomalies:
    """What train itself breaks is reported once, under its own name."""
    kept = anomalies_pb2.Anomalies()
    kept.CopyFrom(anomalies)
    for name, info in anomalies.anomaly_info.items():
        if not any(
            r.type == anomalies_pb2.AnomalyInfo.COMPARATOR_L_INFTY_HIGH for r in info.reason
        ):
            del kept.anomaly_info[name]
    return kept


def _write(anomalies: dict[str, anomalies_pb2.Anomalies], artifact: types.Artifact) -> None:
    artifact.split_names = artifact_utils.encode_split_names(sorted(anomalies))
    for split, found in anomalies.items():
        writer_utils.write_anomalies(
            os.path.join(artifact.uri, f"Split-{split}", "SchemaDiff.pb"), found
        )


def _lines(split: str, anomalies: anomalies_pb2.Anomalies) -> list[str]:
    return [
        f"{_where(split)}, feature {name}: {reason.short_description}: {reason.description}"
        for name, info in sorted(anomalies.anomaly_info.items())
        for reason in info.reason
    ]


def _where(split: str) -> str:
    """The split, or the two that differ and the key that says how much they may."""
    if not split.endswith(_SKEW):
        return f"split {split}"
    other = split.removeprefix("train_").removesuffix(_SKEW)
    return f"splits train and {other} (validation.max_label_skew)"
