"""A finished run, whose verdict is of a real small classifier."""

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from components.evaluator import intervals
from components.evaluator.verdict import (
    OVERALL,
    CalibrationBin,
    Comparison,
    Confusion,
    Counterfactual,
    CoveragePoint,
    Estimate,
    Fairness,
    Gap,
    GroupResult,
    Rule,
    SliceResult,
    Verdict,
    WorstExample,
)
from pipeline.report.page import render
from pipeline.report.run_record import RunRecord

ROOT = Path(__file__).resolve().parents[3]
RUN_ID = "20261125T131032.738Z"
HOSTILE = '<script>alert("x")</script> {{ 7 * 7 }} & <b>bold</b>'


class World:
    """Simulated laboratory notes, a classifier trained on few of them, and what it says of the rest."""

    def __init__(self) -> None:
        with (ROOT / "configs/examples/own_data.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        texts = np.array([row["note"] for row in rows])
        labels = np.array([row["cause"] for row in rows])
        words = TfidfVectorizer().fit_transform(texts)
        few = 12
        model = LogisticRegression().fit(words[:few], labels[:few])
        self.classes = tuple(model.classes_)
        self.texts, self.labels = texts[few:], labels[few:]
        self.probabilities = model.predict_proba(words[few:])
        self.predicted = model.classes_[self.probabilities.argmax(1)]
        self.right = self.predicted == self.labels
        self.confidence = self.probabilities.max(1)
        column = np.array([self.classes.index(one) for one in self.labels])
        self.losses = -np.log(self.probabilities[np.arange(len(column)), column])
        self.is_long = np.array([len(text.split()) > 20 for text in self.texts])

    def accuracy(self, chosen: np.ndarray) -> Estimate:
        return intervals.proportion(int(self.right[chosen].sum()), int(chosen.sum()))

    def examples(self, order: np.ndarray) -> tuple[WorstExample, ...]:
        return tuple(
            WorstExample(
                key=f"note-{i}",
                text=self.texts[i],
                label=self.labels[i],
                predicted=self.predicted[i],
                confidence=self.confidence[i],
                loss=self.losses[i],
            )
            for i in order
        )


def make_verdict(world: World, threshold: float) -> Verdict:
    everything = np.ones(len(world.texts), bool)
    overall = world.accuracy(everything)
    is_met = overall.low >= threshold
    loss = intervals.mean(world.losses)
    slices = {"": everything, "length=long": world.is_long, "length=short": ~world.is_long}
    slices |= {f"label={one}": world.labels == one for one in world.classes}
    majority = world.labels == world.classes[0]
    difference, p = intervals.paired_difference(world.right, majority)
    order = np.argsort(-world.losses)
    sentence = f"accuracy on all test examples is {overall.value:.3f}, asked at least {threshold}"
    edges = np.linspace(0, 1, 11)
    bins = [
        (world.confidence > low) & (world.confidence <= high)
        for low, high in itertools.pairwise(edges)
    ]
    surest = np.argsort(-world.confidence)
    groups = {"long": world.is_long, "short": ~world.is_long}
    hostile = WorstExample(
        key="<key>",
        text=HOSTILE,
        label="<label>",
        predicted="</td>",
        confidence=0.5,
        loss=9.0,
    )
    return Verdict(
        blessed=is_met,
        reasons=() if is_met else (sentence,),
        notes=("label=burn has fewer than 30 examples, so it blocks nothing",),
        task="single_label",
        method="Intervals of shares are Wilson's.",
        examples=len(world.texts),
        rules=(
            Rule(
                name="min_accuracy",
                metric="accuracy",
                slice="",
                estimate=overall,
                examples=len(world.texts),
                threshold=threshold,
                is_met=is_met,
                blocks=True,
                sentence=sentence,
            ),
        ),
        comparisons=(
            Comparison(
                against="majority class",
                metric="accuracy",
                other=intervals.proportion(int(majority.sum()), len(majority)),
                difference=difference,
                p_value=p,
                test="McNemar, exact",
                sentence="accuracy is above that of the majority class",
            ),
        ),
        slices=tuple(
            SliceResult(
                slice=name,
                examples=int(chosen.sum()),
                informs_only=bool(chosen.sum() < 100),
                metrics={
                    "accuracy": world.accuracy(chosen),
                    "cross_entropy": intervals.mean(world.losses[chosen]),
                },
            )
            for name, chosen in slices.items()
        ),
        calibration=tuple(
            CalibrationBin(
                confidence=world.confidence[chosen].mean(),
                accuracy=world.accuracy(chosen),
                examples=int(chosen.sum()),
            )
            for chosen in bins
            if chosen.any()
        ),
        coverage=tuple(
            CoveragePoint(
                coverage=share,
                accuracy=world.accuracy(np.isin(np.arange(len(surest)), surest[:count])),
                min_confidence=world.confidence[surest[count - 1]],
            )
            for share in (0.1, 0.5, 1.0)
            for count in [max(1, int(share * len(surest)))]
        ),
        confusion=Confusion(
            classes=world.classes,
            counts=tuple(
                tuple(
                    int(((world.labels == true) & (world.predicted == said)).sum())
                    for said in world.classes
                )
                for true in world.classes
            ),
        ),
        fairness=Fairness(
            groups=tuple(
                GroupResult(
                    attribute="length",
                    group=name,
                    examples=int(chosen.sum()),
                    informs_only=False,
                    accuracy=world.accuracy(chosen),
                    false_positive_rate=world.accuracy(chosen),
                    false_negative_rate=intervals.UNKNOWN,
                )
                for name, chosen in groups.items()
            ),
            gaps=(
                Gap(
                    attribute="length",
                    metric="accuracy",
                    high_group="long",
                    low_group="short",
                    difference=loss,
                ),
            ),
            counterfactuals=(
                Counterfactual(
                    attribute="sex",
                    examples=40,
                    flip_rate=intervals.proportion(2, 40),
                    worst=(("k", HOSTILE, "swapped", "a", "b"),),
                ),
            ),
        ),
        worst=(hostile, *world.examples(order[:7])),
        best=world.examples(order[::-1][:4]),
        seconds={"inference": 1.5, "intervals": 0.5},
    )


def bare(verdict: Verdict) -> Verdict:
    """The same decision with as little else as a verdict may have."""
    parts = ("rules", "comparisons", "calibration", "coverage", "worst", "best")
    return verdict.model_copy(
        update={
            **dict.fromkeys(parts, ()),
            "confusion": None,
            "fairness": None,
            "slices": tuple(one for one in verdict.slices if one.slice == OVERALL),
        }
    )


def make_history() -> dict:
    """As models.history.History writes it; a skipped update has no gradient norm."""
    step = {"learning_rate": 1e-4, "tokens": 10, "positions": 12, "seconds": 0.1, "skipped": False}
    steps = [
        step | {"step": i + 1, "loss": 1 / (i + 1), "gradient_norm": None if i == 3 else 1.0}
        for i in range(20)
    ]
    epochs = [
        {
            "epoch": i + 1,
            "seconds": 2.0,
            "train_seconds": 1.5,
            "train": {"loss": 1 / (i + 1), "accuracy": 0.8},
            "eval": {"loss": 0.5, "accuracy": 0.7},
            "skipped": 0,
        }
        for i in range(2)
    ]
    return {"epochs": epochs, "steps": steps}


def make_summary(**changes: object) -> dict:
    return {
        "pipeline": "notes",
        "run_id": RUN_ID,
        "status": "succeeded",
        "error": None,
        "seconds": 277.5,
        "components": {
            "TextExampleGen": {"state": "cached", "seconds": 0.1},
            "Trainer": {"state": "ran", "seconds": 227.3},
        },
        "rows": {
            "read": 487,
            "kept": 480,
            "quarantined": 4,
            "filtered": 3,
            "kept_by_split": {"train": 300, "eval": 60, "test": 120},
            "quarantined_by_reason": {"empty_text": 4},
            "filtered_by_reason": {"no_label": 3},
        },
        "text": {"coverage": 0.98, "token_chars": 4.5, "tokens_mean": 40.5, "tokens_max": 64},
        "vocabulary": None,
        "pretrain_examples": None,
        "tuning": None,
        "metrics": {"eval": {"loss": 0.5, "accuracy": 0.7}},
        "blessing": {"blessed": True, "reasons": []},
        "pushed": {"version": "17", "path": "/serving/notes/17"},
        "hashes": {"config": "c0ffee", "data": "d", "vocabulary": "v", "weights": None},
        "inputs": {
            "data": "/data",
            "schema": "/schema/0/schema.pbtxt",
            "vocabulary": "/vocab.txt",
            "vocabulary_hash": "v",
            "weights": None,
            "weights_hash": None,
        },
        "artifacts": {},
        "environment": {"python": "3.10.13", "cpus": 2, "tfx": "1.16.0"},
    } | changes


@pytest.fixture(scope="session")
def world() -> World:
    return World()


def write_run_folder(
    folder: Path, verdict: Verdict | None = None, history: dict | None = None, **changes: object
) -> Path:
    """Writes a run's folder as pipeline.run does; a verdict and a history go into artifacts."""
    folder.mkdir(parents=True)
    artifacts = {}
    if verdict:
        (folder / "evaluation").mkdir()
        verdict.write(folder / "evaluation")
        artifacts["Evaluator.evaluation"] = [str(folder / "evaluation")]
    if history:
        (folder / "model_run").mkdir()
        (folder / "model_run/history.json").write_text(json.dumps(history))
        artifacts["Trainer.model_run"] = [str(folder / "model_run")]
    summary = make_summary(artifacts=artifacts) | changes
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "config.json").write_text(json.dumps({"name": "notes", "note": HOSTILE}))
    return folder


@pytest.fixture
def write_run(tmp_path):
    def write(*parts: object, **changes: object) -> Path:
        return write_run_folder(tmp_path / "runs/notes" / RUN_ID, *parts, **changes)

    return write


@pytest.fixture(scope="session")
def good(world, tmp_path_factory) -> Path:
    """The folder of a run whose model was pushed; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / RUN_ID
    return write_run_folder(folder, make_verdict(world, threshold=0.3), make_history())


@pytest.fixture(scope="session")
def good_page(good) -> str:
    """Its report."""
    return render(RunRecord.read(good))
