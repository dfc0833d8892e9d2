"""Majority class and TF-IDF + linear SVM on the examples of a run: what a model has to beat.

`python -m benchmarks.text_baselines --examples runs/NAME/.../ExampleGen/examples/1`
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.evaluator.predictions import Predictions
from components.text_baselines.answers import measure, predict
from components.text_baselines.baselines import fit_all
from components.text_baselines.examples import LabelledTexts, read_texts

Figures = dict[str, Any]


def fit_baselines(
    train_texts: Sequence[str],
    train_labels: Sequence[str],
    test_texts: Sequence[str],
    test_labels: Sequence[str],
) -> dict[str, Figures]:
    """Fits both baselines on one split and measures them on the other.

    Returns:
        For "majority" and "tfidf_svm": `accuracy` with `accuracy_interval`, `macro_f1` (over the classes of
        the test labels) with `macro_f1_interval`; all intervals are [low, high] at 95 %.

    Raises:
        ValueError: a split is empty, or the training labels are all the same.
    """
    if not train_texts or not test_texts:
        raise ValueError(f"{len(train_texts)} train and {len(test_texts)} test texts: both needed")
    keys = [str(number) for number in range(len(test_texts))]
    test = LabelledTexts(keys, list(test_texts), list(test_labels))
    baselines = fit_all(train_texts, train_labels)
    return {name: _figures(predict(baseline, test)) for name, baseline in baselines.items()}


def _figures(predictions: Predictions) -> Figures:
    figures: Figures = {}
    for name, estimate in measure(predictions).items():
        figures[name] = estimate.value
        figures[f"{name}_interval"] = [estimate.low, estimate.high]
    return figures


def read_split(examples: Path, split: str) -> tuple[list[str], list[str]]:
    """Texts and labels of one split of an ExampleGen's output.

    Raises:
        FileNotFoundError: the folder has no such split.
    """
    files = sorted(str(file) for file in (examples / f"Split-{split}").glob("*.gz"))
    if not files:
        raise FileNotFoundError(f"{examples}: no examples in Split-{split}")
    found = read_texts(files)
    return found.texts, found.labels


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
