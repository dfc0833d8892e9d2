"""What a baseline says of examples, and how good that is."""

import numpy as np

from components.evaluator import names
from components.evaluator.answers import answers
from components.evaluator.classification import f1_scores
from components.evaluator.intervals import proportion
from components.evaluator.measures import measure as measure_all
from components.evaluator.predictions import VALUE_SEPARATOR, Predictions, label_array
from components.evaluator.verdict import Estimate
from components.text_baselines.baselines import Baseline
from components.text_baselines.examples import LabelledTexts

_TOLD = {
    "multi_label": (names.ACCURACY, names.MICRO_F1, names.MACRO_F1),
    "regression": (names.MAE, names.RMSE, names.R2),
}


def predict(baseline: Baseline, examples: LabelledTexts) -> Predictions:
    """Asks a baseline about examples; the answers come in the order of the keys."""
    order = sorted(range(len(examples)), key=examples.keys.__getitem__)
    texts = [examples.texts[row] for row in order]
    labels = [examples.labels[row] for row in order]
    features = {}
    if examples.task != "regression":
        raw = labels if examples.task == "single_label" else map(VALUE_SEPARATOR.join, labels)
        features["label"] = np.array(list(raw), object)
    return Predictions(
        task=examples.task,
        classes=baseline.classes,
        keys=np.array([examples.keys[row] for row in order], object),
        texts=np.array(texts, object),
        labels=label_array(examples.task, labels, baseline.classes),
        scores=baseline.scores(texts),
        features=features,
    )


def measure(predictions: Predictions) -> dict[str, Estimate]:
    """A few metrics with their intervals: accuracy and F1s, or errors.

    Of one class a text `accuracy` (Wilson's interval) and `macro_f1`, over the classes of the labels
    (bootstrap); else those of `components.evaluator.measures`.
    """
    if predictions.task in _TOLD:
        found = measure_all(predictions)
        return {name: found[name] for name in _TOLD[predictions.task] if name in found}
    predicted, labels = answers(predictions).predicted, predictions.labels
    macro_f1, _ = f1_scores(labels, predicted, np.unique(labels[labels >= 0]))
    return {
        names.ACCURACY: proportion(int((predicted == labels).sum()), len(labels)),
        names.MACRO_F1: macro_f1,
    }
