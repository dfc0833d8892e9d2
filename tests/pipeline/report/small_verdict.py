"""The verdict on a real small classifier."""

import csv
import itertools
from pathlib import Path

import numpy as np
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

ROOT = Path(__file__).resolve().parents[3]
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
