"""What a baseline says of examples, and how good that is."""

import numpy as np

from components.evaluator.classification import f1_scores
from components.evaluator.intervals import proportion
from components.evaluator.predictions import Predictions
from components.evaluator.verdict import Estimate
from components.text_baselines.baselines import Baseline
from components.text_baselines.examples import LabelledTexts


def predict(baseline: Baseline, examples: LabelledTexts) -> Predictions:
    """Asks a baseline about examples; the answers come in the order of the keys."""
    order = sorted(range(len(examples)), key=examples.keys.__getitem__)
    ids = {name: class_id for class_id, name in enumerate(baseline.classes)}
    texts = [examples.texts[row] for row in order]
    labels = [examples.labels[row] for row in order]
    return Predictions(
        task="single_label",
        classes=baseline.classes,
        keys=np.array([examples.keys[row] for row in order], object),
        texts=np.array(texts, object),
        labels=np.array([ids.get(label, -1) for label in labels], np.int64),
        scores=baseline.scores(texts),
        features={"label": np.array(labels, object)},
    )


def measure(predictions: Predictions) -> dict[str, Estimate]:
    """`accuracy` (Wilson's interval) and `macro_f1`, over the classes of the labels (bootstrap)."""
    predicted, labels = predictions.scores.argmax(axis=1), predictions.labels
    macro_f1, _ = f1_scores(labels, predicted, np.unique(labels[labels >= 0]))
    return {
        "accuracy": proportion(int((predicted == labels).sum()), len(labels)),
        "macro_f1": macro_f1,
    }
