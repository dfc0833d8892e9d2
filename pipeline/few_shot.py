"""Classification through a GPT's prompt, beside a linear SVM that learns from the same few examples."""

import collections
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from components.evaluator import intervals
from components.example_gen.records import Reader, Record
from components.example_gen.splits import assign_split
from components.medline_example_gen.executor import MedlineReader
from components.text_example_gen.executor import TextReader
from models.gpt.few_shot import FewShotClassifier
from models.gpt.text_generator import TextGenerator
from models.language_model import Gpt
from models.whole_file import write_whole_file
from pipeline.configs import DataConfig, local_paths
from pipeline.few_shot_config import FewShotConfig
from pipeline.inputs import data_folder
from pipeline.pretrained import pushed_model

GPT, RAW = "GPT through the prompt", "the same, not calibrated"
SVM, COMMONEST = "TF-IDF + linear SVM", "the commonest label"
Example = tuple[str, str]  # text, label


class FewShotError(ValueError):
    """The data or the model cannot be used."""


def run_few_shot(config: FewShotConfig, run_id: str, tell: Callable[[str], None]) -> dict[str, Any]:
    """Classifies the same test texts once a seed, and writes `<root>/<name>/<run id>/summary.json`.

    Args:
        config: the settings.
        run_id: see `pipeline.run.new_run_id`.
        tell: is given a line of progress.

    Returns:
        The summary. `accuracy` has, for each way to classify, those of all seeds and their mean with its 95 %
        interval by Student's t: over the choice of examples, not over that of test texts. `predictions` has
        how often each label was chosen in all seeds together, `true_labels` how many tests have it.

    Raises:
        FewShotError: a split or a label has too few texts, the pushed model is no GPT, or its context too
            short for the examples.
        PretrainedError: there is no such model.
        pipeline.datasets.fetch.DatasetError: a named data set could not be fetched.
    """
    start = time.monotonic()
    model = pushed_model(config.pretrained)
    generator = _generator(model)
    learn, tests = _texts(config)
    commonest = collections.Counter(label for _, label in learn).most_common(1)[0][0]
    accuracies: dict[str, list[float]] = collections.defaultdict(list)
    predictions: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for seed in range(config.few_shot.seeds):
        few = draw_examples(learn, config.few_shot.examples_per_class, seed)
        asked = [text for text, _ in tests]
        calibrated, raw = _through_prompt(generator, config, few, asked)
        for name, predicted in (
            (GPT, calibrated),
            (RAW, raw),
            (SVM, _by_svm(few, asked)),
            (COMMONEST, [commonest] * len(asked)),
        ):
            predictions[name].update(predicted)
            right = sum(p == label for p, (_, label) in zip(predicted, tests, strict=True))
            accuracies[name].append(right / len(tests))
        tell(f"seed {seed}: " + ", ".join(f"{n} {a[-1]:.3f}" for n, a in accuracies.items()))
    summary = {
        "pipeline": config.name,
        "run_id": run_id,
        "status": "succeeded",
        "seconds": round(time.monotonic() - start, 2),
        "model": str(model),
        "labels": sorted({label for _, label in few}),
        "examples": len(few),
        "tests": len(tests),
        "accuracy": {name: _interval(values) for name, values in accuracies.items()},
        "true_labels": _sorted_counts(collections.Counter(label for _, label in tests)),
        "predictions": {name: _sorted_counts(counts) for name, counts in predictions.items()},
    }
    _write(local_paths(config)["runs"] / run_id, config, summary)
    return summary


def draw_examples(rows: Sequence[Example], per_class: int, seed: int) -> list[Example]:
    """So many of each label, in random order.

    Raises:
        FewShotError: a label has fewer.
    """
    draw = random.Random(seed)
    by_label: dict[str, list[Example]] = collections.defaultdict(list)
    for row in rows:
        by_label[row[1]].append(row)
    drawn: list[Example] = []
    for label, examples in sorted(by_label.items()):
        if len(examples) < per_class:
            raise FewShotError(
                f"label {label!r} has {len(examples)} texts, few_shot.examples_per_class asks for {per_class}"
            )
        drawn += draw.sample(examples, per_class)
    draw.shuffle(drawn)
    return drawn


def summary_table(summary: dict[str, Any]) -> Table:
    """Accuracy of each way to classify."""
    table = Table(
        f"{summary['examples']} examples, {len(summary['labels'])} labels",
        f"accuracy on {summary['tests']} texts (95 % over examples)",
    )
    for name, found in summary["accuracy"].items():
        table.add_row(name, f"{found['mean']:.3f} ({found['low']:.3f} – {found['high']:.3f})")
    return table


def _generator(model: Path) -> TextGenerator:
    try:
        return Gpt.load(model).generator
    except FileNotFoundError:
        raise FewShotError(f"{model} is no GPT: pretrained must name one") from None


def _texts(config: FewShotConfig) -> tuple[list[Example], list[Example]]:
    """What examples are drawn from, and the test texts; none of these is also among the former."""
    by_split: dict[str, list[Example]] = collections.defaultdict(list)
    for record in _records(config.data):
        split = assign_split(record.key, config.data.reader.splits)
        assert isinstance(record.label, str)  # FewShotConfig asks for one class a text
        by_split["test" if split == "test" else "learn"].append((record.text, record.label))
    learn = by_split["learn"]
    known = {text for text, _ in learn}
    unseen = [row for row in by_split["test"] if row[0] not in known]
    labels = {label for _, label in learn}
    if len(labels) < 2 or not unseen:
        raise FewShotError(
            f"{len(learn)} texts with {len(labels)} labels to learn from, {len(unseen)} to be tested on: "
            "expected two labels or more, and a text"
        )
    return learn, random.Random(0).sample(unseen, min(config.few_shot.tests, len(unseen)))


def _records(data: DataConfig) -> list[Record]:
    reader: Reader
    if data.medline:
        reader = MedlineReader(data.medline)
    else:
        assert data.text is not None  # DataConfig asks for one of the two
        reader = TextReader(data.text)
    paths = sorted(map(str, data_folder(data).glob(data.reader.pattern)))
    reader.check(paths)
    return [found for path in paths for found in reader.read(path) if isinstance(found, Record)]


def _through_prompt(
    generator: TextGenerator, config: FewShotConfig, few: list[Example], texts: list[str]
) -> tuple[list[str], list[str]]:
    """The texts' labels with calibration, and those without."""
    reads = _reading(config.few_shot.wording, {label for _, label in few})
    labels = sorted(reads)
    examples = [(text, reads[label]) for text, label in few]
    try:
        classifier = FewShotClassifier(
            generator, examples, [reads[label] for label in labels], config.few_shot.template
        )
    except ValueError as error:
        raise FewShotError(str(error)) from None
    raw = classifier.log_likelihoods(texts)
    calibrated = classifier.calibrated(raw)
    return [labels[i] for i in calibrated.argmax(axis=1)], [labels[i] for i in raw.argmax(axis=1)]


def _reading(wording: dict[str, str], labels: set[str]) -> dict[str, str]:
    """How each label reads in the prompt."""
    if unknown := sorted(set(wording) - labels):
        raise FewShotError(
            f"few_shot.wording: no label is called {', '.join(map(repr, unknown))}; there are "
            f"{', '.join(sorted(labels))}"
        )
    reads = {label: wording.get(label, label) for label in labels}
    if len(set(reads.values())) < len(reads):
        raise FewShotError("few_shot.wording: two labels read the same")
    return reads


def _by_svm(few: list[Example], texts: list[str]) -> list[str]:
    svm = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LinearSVC(random_state=0)
    )
    svm.fit(*zip(*few, strict=True))
    return svm.predict(texts).tolist()


def _interval(values: list[float]) -> dict[str, Any]:
    found = intervals.mean(np.array(values))
    return {"mean": found.value, "low": found.low, "high": found.high, "seeds": values}


def _sorted_counts(counts: collections.Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _write(folder: Path, config: FewShotConfig, summary: dict[str, Any]) -> None:
    for name, content in (("config", config.model_dump(mode="json")), ("summary", summary)):
        write_whole_file(folder / f"{name}.json", json.dumps(content, indent=1) + "\n")
