"""Thresholds and comparisons: each becomes a rule that is met or not, with a sentence."""

import numpy as np

from components.evaluator import names
from components.evaluator.answers import Answers, shown, worst_first
from components.evaluator.comparison import BLESSED, RIDGE, SVM, Compared
from components.evaluator.config import AgainstConfig, GateConfig
from components.evaluator.intervals import UNKNOWN
from components.evaluator.predictions import Predictions
from components.evaluator.sentences import slice_name, threshold_sentence
from components.evaluator.verdict import OVERALL, Estimate, Rule, SliceResult, WorstExample

_NO_SUCH_METRIC = "this kind of answer has no such metric, or no example is of its class"
_NO_SVM = f"there is no {SVM} to compare with"
_ASKED = {
    "not_shown_worse": "asked not to be shown worse (rule not_shown_worse)",
    "not_worse": "asked to be shown at most {margin:g} worse (rule not_worse)",
    "better": "asked to be shown more than {margin:g} better (rule better)",
}


class Rules:
    """The gate's rules, applied to what was measured.

    Args:
        predictions: of all test examples.
        own: their answers.
        gate: the rules.
        rows: of each slice.
        slices: by name, what was measured on them.
    """

    def __init__(
        self,
        predictions: Predictions,
        own: Answers,
        gate: GateConfig,
        rows: dict[str, np.ndarray],
        slices: dict[str, SliceResult],
    ):
        self._predictions, self._own, self._gate = predictions, own, gate
        self._rows, self._slices = rows, slices

    def apply(self, compared: dict[str, Compared]) -> list[Rule]:
        """Every rule of the gate."""
        gate = self._gate
        found = self._finite()
        found += [self._threshold(m, OVERALL, bound, True) for m, bound in gate.floors.items()]
        found += [self._threshold(m, OVERALL, bound, False) for m, bound in gate.max.items()]
        for name, bound in sorted(gate.slice_min_accuracy.items()):
            found += self._on_slices(name, bound)
        if BLESSED in compared:  # the first model has nothing to be compared with
            found.append(self._against("against_blessed", gate.against_blessed, compared[BLESSED]))
        if gate.against_svm:
            linear = RIDGE if self._predictions.task == "regression" else SVM
            found.append(self._against("against_svm", gate.against_svm, compared.get(linear)))
        return found

    def _finite(self) -> list[Rule]:
        """A rule that is there only when broken: answers are numbers."""
        broken = np.flatnonzero(~np.isfinite(self._predictions.scores).all(1))
        if not len(broken):
            return []
        n = len(self._predictions)
        return [
            Rule(
                name="finite_predictions",
                metric="share of answers that are no numbers",
                slice=OVERALL,
                estimate=Estimate(value=len(broken) / n, low=None, high=None),
                examples=n,
                threshold=0.0,
                is_met=False,
                blocks=True,
                sentence=f"the model's answer is not a number for {len(broken):,} of {n:,} test examples",
                worst=shown(self._predictions, self._own, broken),
            )
        ]

    def _on_slices(self, name: str, bound: float) -> list[Rule]:
        """The least accuracy on one value, or on every value of a feature."""
        inside = [s for s in self._rows if name in (s, s.partition("=")[0])]
        if inside:
            return [self._threshold(names.ACCURACY, s, bound, True) for s in inside]
        return [
            Rule(
                name="slice_min_accuracy",
                metric=names.ACCURACY,
                slice=name,
                estimate=UNKNOWN,
                examples=0,
                threshold=bound,
                is_met=False,
                blocks=True,
                sentence=f"no test example is in the slice {name}, which has a threshold: "
                f"{names.ACCURACY} of at least {bound:g}",
            )
        ]

    def _threshold(self, metric: str, where: str, bound: float, is_least: bool) -> Rule:
        measured = self._slices[where]
        estimate = measured.metrics.get(metric, UNKNOWN)
        end = estimate.low if is_least else estimate.high
        is_met = end is not None and (end >= bound if is_least else end <= bound)
        sentence = threshold_sentence(metric, where, estimate, measured.examples, bound, is_least)
        if measured.examples and metric not in measured.metrics:
            sentence = f"{metric} was not measured on {slice_name(where)}: {_NO_SUCH_METRIC}"
        if measured.informs_only:
            sentence += f"; it has fewer than {self._gate.min_examples} examples and only informs"
        return Rule(
            name=self._setting(metric, where, is_least),
            metric=metric,
            slice=where,
            estimate=estimate,
            examples=measured.examples,
            threshold=bound,
            is_met=is_met,
            blocks=not measured.informs_only,
            sentence=sentence,
            worst=() if is_met else self._worst(self._rows.get(where)),
        )

    def _setting(self, metric: str, where: str, is_least: bool) -> str:
        """The key of the config that asks for it."""
        if where != OVERALL:
            return "slice_min_accuracy"
        if is_least and metric in (names.ACCURACY, names.MACRO_F1) and metric not in self._gate.min:
            return f"min_{metric}"
        return f"{'min' if is_least else 'max'}.{metric}"

    def _worst(self, rows: np.ndarray | None) -> tuple[WorstExample, ...]:
        """The examples of the highest loss among some, or among all."""
        order = worst_first(self._own.losses)
        chosen = order if rows is None else order[np.isin(order, rows)]
        return shown(self._predictions, self._own, chosen)

    def _against(self, name: str, asked: AgainstConfig, compared: Compared | None) -> Rule:
        if compared is None:
            difference, examples, sentence, lost = UNKNOWN, 0, _NO_SVM, np.zeros(0, int)
        else:
            difference, examples = compared.result.difference, compared.examples
            sentence, lost = compared.result.sentence, compared.lost
        is_met = _holds(asked, difference)
        worst = lost[worst_first(self._own.losses[lost])]
        return Rule(
            name=name,
            metric=f"difference of {compared.result.metric if compared else names.ACCURACY}",
            slice=OVERALL,
            estimate=difference,
            examples=examples,
            threshold=asked.margin if asked.rule == "better" else -asked.margin,
            is_met=is_met,
            blocks=True,
            sentence=f"{sentence}; {_ASKED[asked.rule].format(margin=asked.margin)}",
            worst=() if is_met else shown(self._predictions, self._own, worst),
        )


def _holds(asked: AgainstConfig, difference: Estimate) -> bool:
    """Whether the interval of the difference says what the rule asks for."""
    if difference.low is None or difference.high is None:
        return False
    if asked.rule == "not_shown_worse":
        return difference.high >= 0
    if asked.rule == "not_worse":
        return difference.low >= -asked.margin
    return difference.low > asked.margin
