"""What the artifacts of a run say: rows, metrics, blessing, pushed version."""

import json
import math
from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from ml_metadata.proto import metadata_store_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2
from tensorflow_model_analysis.proto import validation_result_pb2

from components.evaluator.eval_config import ACCURACY, CROSS_ENTROPY, MACRO_F1
from components.example_gen.quarantine import read_counts
from components.language_model_evaluator.executor import EVALUATION_FILE
from components.pretrain_example_gen import shards
from components.trainer.runs import METRICS_FILE
from components.transform.preprocessing import TOKEN_IDS
from components.vocabulary_gen import executor as vocabulary_gen
from pipeline.local_runner import NodeRun

EVALUATOR, LANGUAGE_MODEL_EVALUATOR = "Evaluator", "LanguageModelEvaluator"
_OVERALL = ()
_TEST_METRICS = {
    ACCURACY: "accuracy",
    CROSS_ENTROPY: "cross_entropy",
    MACRO_F1: "macro_f1",
    "expected_calibration_error": "expected_calibration_error",
    "example_count": "examples",
}


def rows(runs: list[NodeRun]) -> dict[str, Any] | None:
    """Counts of what the ExampleGen read, None if it did not get so far."""
    uri = _uri(runs, "quarantine")
    return read_counts(uri).model_dump() if uri else None


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
    """Metrics by split and name: train and eval of the kept epoch, test from TFMA's whole test split."""
    found: dict[str, dict[str, float]] = {}
    if uri := _uri(runs, "model"):
        training = _json(uri, METRICS_FILE)
        found |= {"train": training["train"], "eval": training["eval"]}
    if uri := _uri(runs, "evaluation", LANGUAGE_MODEL_EVALUATOR):
        found["eval"] = _json(uri, EVALUATION_FILE)["metrics"]
    if uri := _uri(runs, "evaluation", EVALUATOR):
        overall = dict(tfma.load_eval_result(uri).slicing_metrics)[_OVERALL][""][""]
        found["test"] = {
            name: overall[key]["doubleValue"]
            for key, name in _TEST_METRICS.items()
            if key in overall
        }
    return found


def blessing(runs: list[NodeRun]) -> dict[str, Any] | None:
    """Whether the model may be pushed, and every reason why not.

    Returns:
        `{"blessed": bool, "reasons": [sentence, …]}`, None if the run did not get so far.
    """
    infra = _artifact(runs, "ServingValidator", "blessing")
    if uri := _uri(runs, "evaluation", LANGUAGE_MODEL_EVALUATOR):
        reasons = list(_json(uri, EVALUATION_FILE)["reasons"])
    else:
        evaluation = _uri(runs, "evaluation", EVALUATOR)
        model = _artifact(runs, EVALUATOR, "blessing")
        if not (evaluation and model and infra):
            return None
        reasons = []
        if model.custom_properties["blessed"].int_value != 1:
            reasons = _failures(tfma.load_validation_result(evaluation)) or [
                "the gate gave no blessing"
            ]
    if infra and infra.custom_properties["blessed"].int_value != 1:
        reasons.append(f"serving: {infra.custom_properties['reason'].string_value}")
    return {"blessed": not reasons, "reasons": reasons}


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


def _failures(result: validation_result_pb2.ValidationResult) -> list[str]:
    reasons = [
        _sentence(_slice_name(on_slice), failure)
        for on_slice in result.metric_validations_per_slice
        for failure in on_slice.failures
    ]
    missing = [_spec_name(spec) for spec in result.missing_slices]
    return reasons + [f"no example in the slice {name}, which has a threshold" for name in missing]


def _slice_name(on_slice: validation_result_pb2.MetricsValidationForSlice) -> str:
    parts = [
        f"{single.column}={_slice_value(single)}" for single in on_slice.slice_key.single_slice_keys
    ]
    return ", ".join(parts) or "all test examples"


def _slice_value(single: Any) -> str:
    kind = single.WhichOneof("kind")
    value = getattr(single, kind)
    return value.decode() if isinstance(value, bytes) else str(value)


def _spec_name(spec: Any) -> str:
    return ", ".join(spec.feature_keys) or "all test examples"


def _sentence(slice_name: str, failure: validation_result_pb2.ValidationFailure) -> str:
    name = _TEST_METRICS.get(failure.metric_key.name, failure.metric_key.name)
    value = failure.metric_value.double_value.value
    threshold = failure.metric_threshold
    if threshold.HasField("change_threshold"):
        allowed = threshold.change_threshold.absolute.value
        return f"{name} on {slice_name} changed by {value:+.4f} against the baseline, allowed {allowed:+.4f}"
    low, high = threshold.value_threshold.lower_bound, threshold.value_threshold.upper_bound
    asked = (
        f"at least {low.value:g}"
        if threshold.value_threshold.HasField("lower_bound")
        else f"at most {high.value:g}"
    )
    shown = "not a number" if math.isnan(value) else f"{value:.4f}"
    return f"{name} on {slice_name} is {shown}, asked {asked}" + (
        f" ({failure.message.strip()})" if failure.message.strip() else ""
    )
