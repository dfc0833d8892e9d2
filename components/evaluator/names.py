"""What the metrics are called, in configs and in the verdict, and which there are of each task.

A metric of one class is called "name:class", e.g. "recall:lung".
"""

from models.config import TaskName

ACCURACY, MACRO_F1, MICRO_F1 = "accuracy", "macro_f1", "micro_f1"
CROSS_ENTROPY, OVERCONFIDENCE = "cross_entropy", "overconfidence"
CALIBRATION_ERROR = "expected_calibration_error"
PRECISION, RECALL, F1, AUC, MACRO_AUC = "precision", "recall", "f1", "auc", "macro_auc"
HAMMING_LOSS, AVERAGE_PRECISION = "hamming_loss", "mean_average_precision"
MAE, RMSE, R2, SPEARMAN = "mae", "rmse", "r2", "spearman"

LABEL = "label"  # the raw feature, by which slices are made too

_OF_CLASSES = (
    *(ACCURACY, MACRO_F1, CROSS_ENTROPY, CALIBRATION_ERROR),
    *(PRECISION, RECALL, F1, AUC, MACRO_AUC),
)
METRICS: dict[TaskName, tuple[str, ...]] = {
    "single_label": (*_OF_CLASSES, OVERCONFIDENCE),
    "multi_label": (*_OF_CLASSES, MICRO_F1, HAMMING_LOSS, AVERAGE_PRECISION),
    "regression": (MAE, RMSE, R2, SPEARMAN),
}
KNOWN_METRICS = tuple(dict.fromkeys(name for those in METRICS.values() for name in those))


def of_class(metric: str, name: str) -> str:
    """E.g. "recall:lung"."""
    return f"{metric}:{name}"
