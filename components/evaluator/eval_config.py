"""The gate's rules as a TFMA EvalConfig."""

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
        per_slice_thresholds=[
            _threshold(config_pb2.SlicingSpec(), gate.min_accuracy, gate.max_accuracy_drop),
            *(
                _threshold(_by_feature(name), bound)
                for name, bound in sorted(gate.slice_min_accuracy.items())
            ),
        ],
    )
    report = config_pb2.MetricConfig(class_name="ClassificationReport", module=_METRICS_MODULE)
    if gate.min_macro_f1 is not None:
        report.per_slice_thresholds.append(_threshold(config_pb2.SlicingSpec(), gate.min_macro_f1))
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
        slicing_specs=[config_pb2.SlicingSpec(), *map(_by_feature, gate.slices)],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
    )


_ROUNDING = 1e-6  # a drop of exactly the limit must pass, whatever float32 makes of it


def _threshold(
    slicing: config_pb2.SlicingSpec, lower_bound: float, max_drop: float | None = None
) -> config_pb2.PerSliceMetricThreshold:
    """A threshold of some slices; TFMA applies one that names no slices to every slice there is."""
    threshold = config_pb2.MetricThreshold(
        value_threshold=config_pb2.GenericValueThreshold(lower_bound={"value": lower_bound})
    )
    if max_drop is not None:
        threshold.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = -max_drop - _ROUNDING
    return config_pb2.PerSliceMetricThreshold(slicing_specs=[slicing], threshold=threshold)


def _by_feature(name: str) -> config_pb2.SlicingSpec:
    return config_pb2.SlicingSpec(feature_keys=[name])
