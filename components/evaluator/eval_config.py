"""What TFMA measures, on which slices, as its EvalConfig.

It holds no thresholds: the decision is our gate's, which also needs intervals and paired comparisons.
"""

import json
from collections.abc import Callable, Sequence

from tensorflow_model_analysis.proto import config_pb2

from models.config import DECISION, TaskName
from models.examples import HAS_CLASS, LABEL_ID, TARGET

SIGNATURE = "serving_default"
ANSWERS: dict[TaskName, str] = {  # which output is judged
    "single_label": "probabilities",
    "multi_label": "probabilities",
    "regression": "value",
}
_LABELS: dict[TaskName, str] = {
    "single_label": LABEL_ID,
    "multi_label": HAS_CLASS,
    "regression": TARGET,
}
_METRICS_MODULE = "components.evaluator.metrics"


def build_eval_config(
    slices: Sequence[str], task: TaskName = "single_label"
) -> config_pb2.EvalConfig:
    """The metrics that fit the task, on the whole and by the values of some features.

    Args:
        slices: names of the features.
        task: what labels and answers are.
    """
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name=SIGNATURE,
                label_key=_LABELS[task],
                prediction_key=ANSWERS[task],
                preprocessing_function_names=["transform_features"],
            )
        ],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[name]) for name in slices),
        ],
        metrics_specs=_METRICS[task](),
    )


def _of_one_class() -> list[config_pb2.MetricsSpec]:
    metrics = [
        config_pb2.MetricConfig(class_name="SparseCategoricalAccuracy"),
        config_pb2.MetricConfig(class_name="SparseCategoricalCrossentropy"),
        config_pb2.MetricConfig(class_name="ClassificationReport", module=_METRICS_MODULE),
        config_pb2.MetricConfig(class_name="ExpectedCalibrationError", module=_METRICS_MODULE),
        config_pb2.MetricConfig(class_name="MultiClassConfusionMatrixPlot"),
        config_pb2.MetricConfig(class_name="ExampleCount"),
    ]
    return [config_pb2.MetricsSpec(metrics=metrics)]


def _of_several_classes() -> list[config_pb2.MetricsSpec]:
    """Over all pairs of an example and a class (micro averages)."""
    at = json.dumps({"thresholds": DECISION})
    decided = [
        config_pb2.MetricConfig(class_name=name, config=at) for name in ("Precision", "Recall")
    ]
    pooled = config_pb2.MetricsSpec(
        metrics=[*decided, config_pb2.MetricConfig(class_name="AUC")],
        aggregate=config_pb2.AggregationOptions(micro_average=True),
    )
    plain = [config_pb2.MetricConfig(class_name="ExampleCount")]
    return [pooled, config_pb2.MetricsSpec(metrics=plain)]


def _of_numbers() -> list[config_pb2.MetricsSpec]:
    names = (
        *("MeanAbsoluteError", "MeanSquaredError", "SquaredPearsonCorrelation"),
        *("MeanLabel", "MeanPrediction", "ExampleCount"),
    )
    metrics = [config_pb2.MetricConfig(class_name=name) for name in names]
    return [config_pb2.MetricsSpec(metrics=metrics)]


_METRICS: dict[TaskName, Callable[[], list[config_pb2.MetricsSpec]]] = {
    "single_label": _of_one_class,
    "multi_label": _of_several_classes,
    "regression": _of_numbers,
}
