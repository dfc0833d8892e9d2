"""What the artifacts of a run say: rows, metrics, blessing, pushed version."""

import json
from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv
from ml_metadata.proto import metadata_store_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.data_audit.report import Audit
from components.data_validator.drift import Drift
from components.evaluator import names
from components.evaluator.verdict import Verdict
from components.example_gen.driver import SPANS_PROPERTY
from components.example_gen.quarantine import read_counts
from components.language_model_evaluator.executor import EVALUATION_FILE
from components.pretrain_example_gen import shards
from components.trainer.runs import METRICS_FILE
from components.transform.preprocessing import TOKEN_IDS
from components.vocabulary_gen import executor as vocabulary_gen
from pipeline.local_runner import NodeRun

EVALUATOR, LANGUAGE_MODEL_EVALUATOR = "Evaluator", "LanguageModelEvaluator"
_TEST_METRICS = (
    names.ACCURACY,
    names.CROSS_ENTROPY,
    names.MACRO_F1,
    names.MICRO_F1,
    names.AVERAGE_PRECISION,
    names.CALIBRATION_ERROR,
    names.MAE,
    names.RMSE,
    names.R2,
    names.SPEARMAN,
)


def rows(runs: list[NodeRun]) -> dict[str, Any] | None:
    """Counts of what the ExampleGen read, None if it did not get so far."""
    uri = _uri(runs, "quarantine")
    return read_counts(uri).model_dump() if uri else None


def audit(runs: list[NodeRun]) -> dict[str, Any] | None:
    """DataAudit's findings, None if it did not get so far."""
    uri = _uri(runs, "audit")
    return Audit.read(uri).model_dump(mode="json") if uri else None


def drift(runs: list[NodeRun]) -> dict[str, Any] | None:
    """What the DataValidator says of this run's data against the last blessed model's, None if nothing."""
    uri = _uri(runs, "anomalies")
    found = Drift.read(uri) if uri else None
    return found.model_dump(mode="json") if found else None


def spans(runs: list[NodeRun]) -> list[int] | None:
    """Numbers of the spans that were read, None if the data has none."""
    artifact = next((r.outputs["examples"][0] for r in runs if "examples" in r.outputs), None)
    found = artifact.custom_properties[SPANS_PROPERTY].string_value if artifact else ""
    return [int(number) for number in found.split()] or None


def warm_start(runs: list[NodeRun]) -> dict[str, Any] | None:
    """What the training started from (models.warm_start.WarmStart), None if no classifier was trained."""
    uri = _uri(runs, "model")
    return _json(uri, METRICS_FILE).get("warm_start") if uri else None


def text_statistics(runs: list[NodeRun]) -> dict[str, float] | None:
    """What Transform's statistics say of the tokens of all splits, None if it did not run.

    Returns:
        `coverage` (share of tokens that are not [UNK]), `token_chars` (mean length of a token),
        `tokens_mean` and `tokens_max` (of a text, cut to the model's length).
    """
    uri = _uri(runs, "post_transform_stats")
    if uri is None:
        return None
    statistics = tfdv.load_stats_binary(str(Path(uri, "FeatureStats.pb")))
    tokens = tfdv.get_feature_stats(statistics.datasets[0], tfdv.FeaturePath([TOKEN_IDS]))
    language = statistics_pb2.NaturalLanguageStatistics()
    next(s for s in tokens.custom_stats if s.name == "nl_statistics").any.Unpack(language)
    common = getattr(tokens, tokens.WhichOneof("stats")).common_stats
    return {
        "coverage": language.feature_coverage,
        "token_chars": language.avg_token_length,
        "tokens_mean": common.avg_num_values,
        "tokens_max": common.max_num_values,
    }


def vocabulary(runs: list[NodeRun]) -> dict[str, Any] | None:
    """VocabularyGen's report, None if there is none."""
    uri = _uri(runs, "vocabulary")
    return _json(uri, vocabulary_gen.REPORT_FILE) if uri else None


def pretrain_examples(runs: list[NodeRun]) -> dict[str, Any] | None:
    """PretrainExampleGen's report, None if there is none."""
    uri = _uri(runs, "pretrain_examples")
    return _json(uri, shards.REPORT_FILE) if uri else None


def tuning(runs: list[NodeRun]) -> dict[str, Any] | None:
    """What the Tuner found, None if there is none.

    Returns:
        `trials` (those that ended with a finite loss), `eval_loss` (of the best) and its `values` by dotted
        key of `training`.
    """
    uri = _uri(runs, "tuner_results")
    if uri is None:
        return None
    trials = json.loads(Path(uri, "tuner_results.json").read_text())
    best = dict(trials[0])  # TFX sorts them
    del best["trial_id"]
    return {"trials": len(trials), "eval_loss": best.pop("score"), "values": best}


def metrics(runs: list[NodeRun]) -> dict[str, dict[str, float]]:
    """Metrics by split and name: train and eval of the kept epoch, test from the gate's verdict."""
    found: dict[str, dict[str, float]] = {}
    if uri := _uri(runs, "model"):
        training = _json(uri, METRICS_FILE)
        found |= {"train": training["train"], "eval": training["eval"]}
    if uri := _uri(runs, "evaluation", LANGUAGE_MODEL_EVALUATOR):
        found["eval"] = _json(uri, EVALUATION_FILE)["metrics"]
    if uri := _uri(runs, "evaluation", EVALUATOR):
        overall = Verdict.read(uri).slices[0]
        found["test"] = {
            name: estimate.value
            for name in _TEST_METRICS
            if (estimate := overall.metrics.get(name)) and estimate.value is not None
        } | {"examples": overall.examples}
    return found


def blessing(runs: list[NodeRun]) -> dict[str, Any] | None:
    """Whether the model may be pushed, and every reason why not.

    Returns:
        `{"blessed": bool, "reasons": [sentence, …]}`, None if the run did not get so far. Of a classifier
        also `notes` (sentences) and `failed` (the rules that block, as in verdict.json).
    """
    infra = _artifact(runs, "ServingValidator", "blessing")
    said: dict[str, Any] = {}
    if uri := _uri(runs, "evaluation", LANGUAGE_MODEL_EVALUATOR):
        reasons = list(_json(uri, EVALUATION_FILE)["reasons"])
    else:
        evaluation = _uri(runs, "evaluation", EVALUATOR)
        if not (evaluation and infra):
            return None
        verdict = Verdict.read(evaluation)
        reasons = list(verdict.reasons)
        failed = [rule for rule in verdict.rules if rule.blocks and not rule.is_met]
        said = {
            "notes": list(verdict.notes),
            "failed": [rule.model_dump(mode="json") for rule in failed],
        }
    if infra and infra.custom_properties["blessed"].int_value != 1:
        reasons.append(f"serving: {infra.custom_properties['reason'].string_value}")
    return {"blessed": not reasons, "reasons": reasons} | said


def pushed(runs: list[NodeRun]) -> dict[str, str] | None:
    """Version and path of the pushed model, None if there is none."""
    artifact = _artifact(runs, "Pusher", "pushed_model")
    if artifact is None or artifact.custom_properties["pushed"].int_value != 1:
        return None
    return {
        "version": artifact.custom_properties["pushed_version"].string_value,
        "path": artifact.custom_properties["pushed_destination"].string_value,
    }


def _artifact(runs: list[NodeRun], node: str, key: str) -> metadata_store_pb2.Artifact | None:
    return next((r.outputs[key][0] for r in runs if r.node == node and r.outputs.get(key)), None)


def _uri(runs: list[NodeRun], key: str, node: str | None = None) -> str | None:
    """Of the first artifact under that key, of a node by name or of any."""
    found = (run for run in runs if run.outputs.get(key) and node in (None, run.node))
    return next((run.outputs[key][0].uri for run in found), None)


def _json(uri: str, file: str) -> dict[str, Any]:
    return json.loads(Path(uri, file).read_text())
