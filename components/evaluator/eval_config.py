"""The gate's rules as a TFMA EvalConfig."""

from collections.abc import Sequence

from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.config import GateConfig
from components.transform.preprocessing import LABEL_ID


ACCURACY = "sparse_categorical_accuracy"
CROSS_ENTROPY = "sparse_categorical_crossentropy"
MACRO_F1 = "macro_f1"
_METRICS_MODULE = "components.evaluator.metrics"


def build_eval_config(gate: GateConfig) -> config_pb2.EvalConfig:
    """Metrics, slices and thresholds; the candidate is compared with a baseline where there is one.

    Args:
        gate: the rules. `max_accuracy_drop` is the most that accuracy may fall below the latest blessed
            model's on the same examples.
    """
    accuracy = config_pb2.MetricConfig(
        class_name="SparseCategoricalAccuracy",
        threshold=config_pb2.MetricThreshold(
            value_threshold=_at_least(gate.min_accuracy),
            change_threshold=config_pb2.GenericChangeThreshold(
                direction=config_pb2.MetricDirection.HIGHER_IS_BETTER,
                absolute={"value": -gate.max_accuracy_drop - _ROUNDING},
            ),
        ),
        per_slice_thresholds=_slice_thresholds(gate),
    )
    report = config_pb2.MetricConfig(class_name="ClassificationReport", module=_METRICS_MODULE)
    if gate.min_macro_f1 is not None:
        report.threshold.value_threshold.CopyFrom(_at_least(gate.min_macro_f1))
    metrics = [
        accuracy,
        config_pb2.MetricConfig(class_name="SparseCategoricalCrossentropy"),
        report,
        config_pb2.MetricConfig(class_name="ExpectedCalibrationError", module=_METRICS_MODULE),
        config_pb2.MetricConfig(class_name="MultiClassConfusionMatrixPlot"),
        config_pb2.MetricConfig(class_name="ExampleCount"),
    ]
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name="serving_default",
                label_key=LABEL_ID,
                prediction_key="probabilities",
                preprocessing_function_names=["transform_features"],
            )
        ],
        slicing_specs=[config_pb2.SlicingSpec(), *_by_feature(gate.slices)],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
        options=config_pb2.Options(min_slice_size={"value": gate.slice_min_examples}),
    )


_ROUNDING = 1e-6  # a drop of exactly the limit must pass, whatever float32 makes of it


def _at_least(bound: float) -> config_pb2.GenericValueThreshold:
    return config_pb2.GenericValueThreshold(lower_bound={"value": bound})


def _by_feature(slices: Sequence[str]) -> list[config_pb2.SlicingSpec]:
    return [config_pb2.SlicingSpec(feature_keys=[name]) for name in slices]


def _slice_thresholds(gate: GateConfig) -> list[config_pb2.PerSliceMetricThreshold]:
    if gate.slice_min_accuracy is None:
        return []
    threshold = config_pb2.MetricThreshold(value_threshold=_at_least(gate.slice_min_accuracy))
    return [
        config_pb2.PerSliceMetricThreshold(
            slicing_specs=_by_feature(gate.slices), threshold=threshold
        )
    ]
