"""What the metrics are called, in configs and in the verdict.

A metric of one class is called "name:class", e.g. "recall:lung".
"""

ACCURACY, MACRO_F1, MICRO_F1 = "accuracy", "macro_f1", "micro_f1"
CROSS_ENTROPY, OVERCONFIDENCE = "cross_entropy", "overconfidence"
CALIBRATION_ERROR = "expected_calibration_error"
PRECISION, RECALL, F1, AUC, MACRO_AUC = "precision", "recall", "f1", "auc", "macro_auc"
HAMMING_LOSS, AVERAGE_PRECISION = "hamming_loss", "mean_average_precision"
MAE, RMSE, R2, SPEARMAN = "mae", "rmse", "r2", "spearman"

KNOWN_METRICS = (
    ACCURACY,
    MACRO_F1,
    MICRO_F1,
    CROSS_ENTROPY,
    OVERCONFIDENCE,
    CALIBRATION_ERROR,
    PRECISION,
    RECALL,
    F1,
    AUC,
    MACRO_AUC,
    HAMMING_LOSS,
    AVERAGE_PRECISION,
    MAE,
    RMSE,
    R2,
    SPEARMAN,
)


def of_class(metric: str, name: str) -> str:
    """E.g. "recall:lung"."""
    return f"{metric}:{name}"
