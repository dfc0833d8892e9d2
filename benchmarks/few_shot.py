"""Classification through the prompt of a GPT, beside a linear SVM that learned from the same few examples.

`python -m benchmarks.few_shot --generator FOLDER --dataset reuters_r8 --per-class 2 --tests 200 --seeds 5`

FOLDER is what the GPT line pushed. Each seed draws other examples of the official train split; the test
texts, a random part of the official test split, are always the same, and none of them was pretrained on.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import random
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.seeds import mean_interval
from benchmarks.text_baselines import fit_baselines
from models.gpt.few_shot import FewShotClassifier
from models.language_model import Gpt
from pipeline.datasets.fetch import cache_folder, fetch
from pipeline.logs import quiet

Example = tuple[str, str]  # text, label


def main() -> None:
    """Classifies, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--generator", type=Path, required=True)
    parser.add_argument("--dataset", default="reuters_r8", help="with official splits")
    parser.add_argument("--per-class", type=int, default=1)
    parser.add_argument("--tests", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    with quiet(cache_folder() / "benchmarks" / "log.txt"):
        train, test = (_rows(arguments.dataset, split) for split in ("train", "test"))
        tests = random.Random(0).sample(test, min(arguments.tests, len(test)))
        generator = Gpt.load(arguments.generator).generator
        accuracies: dict[str, list[float]] = {}
        for seed in range(arguments.seeds):
            few = _few(train, arguments.per_class, seed)
            labels = sorted({label for _, label in few})
            predicted = FewShotClassifier(generator, few, labels).predict([t for t, _ in tests])
            hits = [p == label for p, (_, label) in zip(predicted, tests, strict=True)]
            texts_and_labels = (*zip(*few, strict=True), *zip(*tests, strict=True))
            baselines = fit_baselines(*texts_and_labels)
            found = {
                "GPT, through the prompt": sum(hits) / len(hits),
                "TF-IDF + linear SVM on the same examples": baselines["tfidf_svm"]["accuracy"],
                "the commonest of them": baselines["majority"]["accuracy"],
            }
            for name, accuracy in found.items():
                accuracies.setdefault(name, []).append(accuracy)
    table = Table(f"{len(few)} examples", f"accuracy on {len(tests)} (95 % over seeds)")
    for name, values in accuracies.items():
        table.add_row(name, "{:.3f} ({:.3f} – {:.3f})".format(*mean_interval(values)))
    Console().print(table)
    if arguments.json:
        rows = [
            {"name": "few_shot", "work": name, "unit": "accuracy", "ours": values}
            for name, values in accuracies.items()
        ]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _rows(dataset: str, split: str) -> list[Example]:
    lines = (fetch(dataset) / "texts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = map(json.loads, lines)
    return [(row["text"], row["label"]) for row in rows if row["split"] == split]


def _few(rows: list[Example], per_class: int, seed: int) -> list[Example]:
    """So many of each label, in random order."""
    rng = random.Random(seed)
    found: list[Example] = []
    for label in sorted({label for _, label in rows}):
        found += rng.sample([row for row in rows if row[1] == label], per_class)
    rng.shuffle(found)
    return found


if __name__ == "__main__":
    main()
