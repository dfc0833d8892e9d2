"""What TFMA measures, on which slices, as its EvalConfig.

It holds no thresholds: the decision is our gate's, which also needs intervals and paired comparisons.
"""

from collections.abc import Sequence

from tensorflow_model_analysis.proto import config_pb2

from components.transform.preprocessing import LABEL_ID

SIGNATURE, PROBABILITIES = "serving_default", "probabilities"
_METRICS_MODULE = "components.evaluator.metrics"


def build_eval_config(slices: Sequence[str]) -> config_pb2.EvalConfig:
    """The metrics of a single-label classifier, on the whole and by the values of some features.

    Args:
        slices: names of the features.
    """
    metrics = [
        config_pb2.MetricConfig(class_name="SparseCategoricalAccuracy"),
        config_pb2.MetricConfig(class_name="SparseCategoricalCrossentropy"),
        config_pb2.MetricConfig(class_name="ClassificationReport", module=_METRICS_MODULE),
        config_pb2.MetricConfig(class_name="ExpectedCalibrationError", module=_METRICS_MODULE),
        config_pb2.MetricConfig(class_name="MultiClassConfusionMatrixPlot"),
        config_pb2.MetricConfig(class_name="ExampleCount"),
    ]
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name=SIGNATURE,
                label_key=LABEL_ID,
                prediction_key=PROBABILITIES,
                preprocessing_function_names=["transform_features"],
            )
        ],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[name]) for name in slices),
        ],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
    )
