"""Which threshold judges what: decided by TFMA on real rows."""

import numpy as np
import pydantic
import pytest

from components.evaluator.config import GateConfig
from components.evaluator.eval_config import build_eval_config


def answers(labels, right) -> np.ndarray:
    """Probabilities of two classes, right where `right` says so."""
    labels, right = np.array(labels), np.array(right, bool)
    return np.eye(2)[np.where(right, labels, 1 - labels)] * 0.8 + 0.1


# 20 rows; all errors are in band "long": accuracy .8 on the whole, 1 on "short", .2 on "long".
LABELS = [i % 2 for i in range(20)]
RIGHT = [True] * 15 + [False] * 4 + [True]
BANDS = ["short"] * 15 + ["long"] * 5
SLICED = {"slices": ("length_band",)}


@pytest.fixture(scope="module")
def judge(analyse, make_rows):
    """Failures as (slice, metric, kind of threshold), and missing slices."""

    def run(baseline_right=None, **gate):
        baseline = None if baseline_right is None else answers(LABELS, baseline_right)
        rows = make_rows(LABELS, answers(LABELS, RIGHT), baseline, length_band=BANDS)
        metrics, result = analyse(GateConfig(**SLICED | gate), rows)
        failures = {
            (
                "/".join(s.bytes_value.decode() for s in found.slice_key.single_slice_keys),
                failure.metric_key.name,
                failure.metric_threshold.ListFields()[0][0].name,
            )
            for found in result.metric_validations_per_slice
            for failure in found.failures
        }
        assert result.validation_ok == (not failures and not result.missing_slices)
        return failures, [list(spec.feature_keys) for spec in result.missing_slices], metrics

    return run


ACCURACY = "sparse_categorical_accuracy"


def test_a_threshold_on_the_whole_does_not_judge_slices(judge):
    failures, missing, metrics = judge(min_accuracy=0.8, min_macro_f1=0.7, max_accuracy_drop=0)
    assert (failures, missing) == (set(), [])  # nor is a change judged without a baseline
    assert metrics[()][ACCURACY] == pytest.approx(0.8)
    assert metrics[(("length_band", "long"),)][ACCURACY] == pytest.approx(0.2)
    assert metrics[(("length_band", "short"),)][ACCURACY] == 1.0


def test_each_threshold_judges_its_own_metric_and_slices(judge):
    failures, _, _ = judge(
        min_accuracy=0.81, min_macro_f1=0.9, slice_min_accuracy={"length_band": 0.5}
    )
    assert failures == {
        ("", ACCURACY, "value_threshold"),
        ("", "macro_f1", "value_threshold"),
        ("long", ACCURACY, "value_threshold"),
    }


def test_a_slice_just_good_enough_passes(judge):
    failures, _, _ = judge(min_accuracy=0.5, slice_min_accuracy={"length_band": 0.2})
    assert failures == set()


def test_a_slice_no_row_has_is_missing(judge):
    _, missing, _ = judge(
        min_accuracy=0.5, slices=("year_band",), slice_min_accuracy={"year_band": 0.1}
    )
    assert missing == [["year_band"]]


def test_a_better_baseline_stops_the_candidate(judge):
    failures, _, _ = judge(baseline_right=[True] * 20, min_accuracy=0.5, max_accuracy_drop=0.1)
    assert failures == {("", ACCURACY, "change_threshold")}


def test_a_drop_of_exactly_the_limit_passes(judge):
    """.85 to .8 is a drop of more than .05 in float32."""
    right = [True] * 17 + [False] * 3
    failures, _, metrics = judge(baseline_right=right, min_accuracy=0.5, max_accuracy_drop=0.05)
    assert failures == set()
    assert metrics[()][ACCURACY] == pytest.approx(0.8)
    assert {"macro_f1", "expected_calibration_error"} <= set(metrics[()])


def test_a_worse_baseline_does_not_lower_the_bar(judge):
    failures, _, _ = judge(baseline_right=[False] * 20, min_accuracy=0.9)
    assert failures == {("", ACCURACY, "value_threshold")}


def test_the_model_is_asked_through_its_signatures():
    [model] = build_eval_config(GateConfig(min_accuracy=0.5)).model_specs
    assert model.signature_name == "serving_default"
    assert list(model.preprocessing_function_names) == ["transform_features"]
    assert (model.label_key, model.prediction_key) == ("label_id", "probabilities")


def test_judged_slices_must_be_reported():
    with pytest.raises(pydantic.ValidationError, match=r"names \['year_band'\], which slices does"):
        GateConfig(min_accuracy=0.5, slice_min_accuracy={"year_band": 0.5})
