"""What the gate decided and what it rests on: `verdict.json` of the evaluation artifact."""

from pathlib import Path

from models.config import Config, TaskName
from models.whole_file import write_whole_file

VERDICT_FILE, PREDICTIONS_FILE = "verdict.json", "predictions.parquet"
OVERALL = ""  # the name of the slice that holds every test example


class Estimate(Config):
    """A measured value and its 95 % interval; all None where the slice has nothing to measure it on."""

    value: float | None
    low: float | None
    high: float | None


class SliceResult(Config):
    """The metrics of one slice.

    Attributes:
        slice: "" for all test examples, else "feature=value".
        examples: how many it has.
        informs_only: it has fewer than the gate's `min_examples`, and so blocks nothing.
        metrics: by name.
    """

    slice: str
    examples: int
    informs_only: bool
    metrics: dict[str, Estimate]


class WorstExample(Config):
    """A test example by what the model made of it; the numbers are None where the model gave none."""

    key: str
    text: str
    label: str
    predicted: str
    confidence: float | None
    loss: float | None


class Rule(Config):
    """One threshold of the gate, and what came of it.

    Attributes:
        name: of the setting, e.g. "min_accuracy".
        metric: what is held against the threshold.
        slice: where.
        estimate: what was measured.
        examples: on how many.
        threshold: what was asked.
        is_met: whether the interval is on the right side.
        blocks: whether the rule, unmet, forbids the blessing.
        sentence: the above for people.
        worst: the slice's examples of the highest loss, if the rule is unmet; at most 20.
    """

    name: str
    metric: str
    slice: str
    estimate: Estimate
    examples: int
    threshold: float
    is_met: bool
    blocks: bool
    sentence: str
    worst: tuple[WorstExample, ...] = ()


class Comparison(Config):
    """The candidate and another on the same examples.

    Attributes:
        against: "latest blessed model", "TF-IDF + linear SVM", "majority class"; of numbers also "TF-IDF +
            ridge" or "mean of the train split".
        metric: what is compared; higher is better.
        other: the other's value.
        difference: the candidate's minus the other's, with the interval of the paired differences.
        p_value: of a paired two-sided test.
        test: its name, e.g. "McNemar, exact".
        sentence: the above for people.
    """

    against: str
    metric: str
    other: Estimate
    difference: Estimate
    p_value: float | None
    test: str
    sentence: str


class CalibrationBin(Config):
    """A bin of the reliability diagram: mean confidence and share of hits of `examples`."""

    confidence: float
    accuracy: Estimate
    examples: int


class CoveragePoint(Config):
    """Accuracy on the share of examples that the model is surest of."""

    coverage: float
    accuracy: Estimate
    min_confidence: float


class Confusion(Config):
    """Counts, rows by label, columns by prediction."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class GroupResult(Config):
    """A fairness group, e.g. `attribute` "sex", `group` "female"."""

    attribute: str
    group: str
    examples: int
    informs_only: bool
    accuracy: Estimate
    false_positive_rate: Estimate
    false_negative_rate: Estimate


class Gap(Config):
    """The largest difference of a metric between two groups of an attribute, `high` minus `low`."""

    attribute: str
    metric: str
    high_group: str
    low_group: str
    difference: Estimate


class Counterfactual(Config):
    """Predictions before and after the words of one group were put in place of another's.

    Attributes:
        attribute: whose words were swapped.
        examples: texts that had such words.
        flip_rate: share of them whose predicted class changed.
        worst: key, text, swapped text, prediction before and after; at most 20.
    """

    attribute: str
    examples: int
    flip_rate: Estimate
    worst: tuple[tuple[str, str, str, str, str], ...] = ()


class Fairness(Config):
    """What was found of groups."""

    groups: tuple[GroupResult, ...] = ()
    gaps: tuple[Gap, ...] = ()
    counterfactuals: tuple[Counterfactual, ...] = ()


class Verdict(Config):
    """The decision.

    Attributes:
        blessed: whether the model may be pushed.
        reasons: why not, a sentence each; empty if blessed.
        notes: what else the reader should know, a sentence each (such as slices too small to block).
        task: what kind of answers were measured.
        method: how the intervals were made, a sentence.
        examples: of the test split.
        rules: every threshold of the gate.
        comparisons: with others on the same examples.
        slices: all examples first.
        calibration: reliability bins (classification).
        coverage: selective prediction (classification).
        confusion: single-label classification.
        fairness: where groups are configured.
        worst: the test examples of the highest loss, at most 20.
        best: those of the lowest.
        seconds: by part of the evaluation.
    """

    blessed: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    task: TaskName
    method: str
    examples: int
    rules: tuple[Rule, ...]
    comparisons: tuple[Comparison, ...]
    slices: tuple[SliceResult, ...]
    calibration: tuple[CalibrationBin, ...] = ()
    coverage: tuple[CoveragePoint, ...] = ()
    confusion: Confusion | None = None
    fairness: Fairness | None = None
    worst: tuple[WorstExample, ...] = ()
    best: tuple[WorstExample, ...] = ()
    seconds: dict[str, float] = {}

    @property
    def overall(self) -> SliceResult | None:
        """The metrics of all test examples; None if none were measured."""
        return next((one for one in self.slices if one.slice == OVERALL), None)

    def write(self, folder: str | Path) -> None:
        """Writes `verdict.json`, whole or not at all."""
        write_whole_file(Path(folder, VERDICT_FILE), self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, folder: str | Path) -> "Verdict":
        """Reads what `write` wrote."""
        return cls.model_validate_json(Path(folder, VERDICT_FILE).read_text())
