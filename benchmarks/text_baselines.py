"""Majority class and TF-IDF + linear SVM on the examples of a run: what a model has to beat.

`python -m benchmarks.text_baselines --examples runs/NAME/.../ExampleGen/examples/1`
"""

import argparse
import collections
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

_Z = 1.959964  # of a two-sided 95 % interval
_RESAMPLES = 1000

Figures = dict[str, Any]


def fit_baselines(
    train_texts: Sequence[str],
    train_labels: Sequence[str],
    test_texts: Sequence[str],
    test_labels: Sequence[str],
) -> dict[str, Figures]:
    """Fits both baselines on one split and measures them on the other.

    Returns:
        For "majority" and "tfidf_svm": `accuracy` with `accuracy_interval` (Wilson), `macro_f1`
        (over the classes of the test labels) with `macro_f1_interval` (bootstrap); all intervals
        are [low, high] at 95 %.

    Raises:
        ValueError: a split is empty, or the training labels are all the same.
    """
    if not train_texts or not test_texts:
        raise ValueError(f"{len(train_texts)} train and {len(test_texts)} test texts: both needed")
    majority = collections.Counter(train_labels).most_common(1)[0][0]
    svm = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2),
        LinearSVC(C=1.0, random_state=0),
    )
    svm.fit(train_texts, train_labels)
    truth = np.asarray(test_labels, dtype=object)
    return {
        "majority": _measure(truth, np.full_like(truth, majority)),
        "tfidf_svm": _measure(truth, np.asarray(svm.predict(test_texts), dtype=object)),
    }


def wilson_interval(correct: int, total: int) -> list[float]:
    """The 95 % interval of a proportion, [low, high] (Wilson, JASA 22, 1927)."""
    share = correct / total
    centre = share + _Z**2 / (2 * total)
    spread = _Z * math.sqrt(share * (1 - share) / total + (_Z / (2 * total)) ** 2)
    scale = 1 + _Z**2 / total
    return [max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)]


def _measure(truth: np.ndarray, predicted: np.ndarray) -> Figures:
    correct = int((truth == predicted).sum())
    return {
        "accuracy": correct / len(truth),
        "accuracy_interval": wilson_interval(correct, len(truth)),
        "macro_f1": _macro_f1(truth, predicted),
        "macro_f1_interval": _bootstrap_interval(truth, predicted),
    }


def _macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    classes = np.unique(truth)
    return float(f1_score(truth, predicted, labels=classes, average="macro", zero_division=0))


def _bootstrap_interval(truth: np.ndarray, predicted: np.ndarray) -> list[float]:
    """Percentile bootstrap over the test records (Efron, Annals of Statistics 7, 1979)."""
    _, codes = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    truth, predicted = codes.reshape(2, -1)  # numbers are compared faster than names
    draws = np.random.default_rng(0).integers(len(truth), size=(_RESAMPLES, len(truth)))
    scores = [_macro_f1(truth[draw], predicted[draw]) for draw in draws]
    return [float(bound) for bound in np.percentile(scores, [2.5, 97.5])]


def read_split(examples: Path, split: str) -> tuple[list[str], list[str]]:
    """Texts and labels of one split of an ExampleGen's output.

    Raises:
        FileNotFoundError: the folder has no such split.
    """
    files = sorted(str(file) for file in (examples / f"Split-{split}").glob("*.gz"))
    if not files:
        raise FileNotFoundError(f"{examples}: no examples in Split-{split}")
    features = {name: tf.io.FixedLenFeature([], tf.string) for name in ("text", "label")}
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(1024)
    parsed = [tf.io.parse_example(batch, features) for batch in records]
    texts, labels = (
        [value.decode() for batch in parsed for value in batch[name].numpy()] for name in features
    )
    return texts, labels


def _cell(row: Figures, measure: str) -> str:
    low, high = row[f"{measure}_interval"]
    return f"{row[measure]:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Prints a table, and the figures as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--examples", type=Path, required=True, help="folder with Split-train, Split-eval, ..."
    )
    parser.add_argument("--test-split", default="test", help="split to measure on (test)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    try:
        train = read_split(arguments.examples, "train")
        evaluation = read_split(arguments.examples, "eval")
        test = read_split(arguments.examples, arguments.test_split)
    except FileNotFoundError as error:
        parser.error(str(error))
    # The baselines stop early on nothing, so that they may learn from the eval split as well.
    figures = fit_baselines(train[0] + evaluation[0], train[1] + evaluation[1], *test)
    print(f"{len(train[0]) + len(evaluation[0])} training and {len(test[0])} test texts")
    print(f"{'':10} {'accuracy':24} {'macro-F1':24}")
    for name, row in figures.items():
        print(f"{name:10} {_cell(row, 'accuracy'):24} {_cell(row, 'macro_f1'):24}".rstrip())
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
