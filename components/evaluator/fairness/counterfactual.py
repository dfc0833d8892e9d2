"""How often a prediction hangs on the group's words."""

import dataclasses
from collections.abc import Callable

import numpy as np

from components.evaluator.fairness.config import AttributeConfig
from components.evaluator.fairness.gaps import Decisions
from components.evaluator.fairness.swapping import Swapper
from components.evaluator.intervals import proportion
from components.evaluator.predictions import Predictions
from components.evaluator.verdict import Counterfactual

_WORST = 20


@dataclasses.dataclass(frozen=True)
class Flips:
    """The test with swapped words.

    Attributes:
        result: as the verdict holds it.
        rows: int [m], the examples whose prediction changed, the largest changes first.
    """

    result: Counterfactual
    rows: np.ndarray


def measure_flips(
    name: str,
    attribute: AttributeConfig,
    predictions: Predictions,
    probabilities: Callable[..., np.ndarray],
) -> Flips:
    """Swaps the words of all texts that have some, and predicts anew.

    A change is as large as the total variation distance between the probabilities before and after
    (multi-label: the sum of the changes, halved).

    Args:
        name: of the attribute.
        attribute: one that can be swapped.
        predictions: what was said of the texts as they are.
        probabilities: the model: raw texts, and of pairs the second texts → float [n, classes], columns as
            in `predictions`.
    """
    swap = Swapper(attribute)
    texts = [predictions.texts, *([] if predictions.pairs is None else [predictions.pairs])]
    columns = [np.array([swap(text) for text in column], object) for column in texts]
    changed = np.array([new != old for new, old in zip(columns, texts, strict=True)])
    touched = np.flatnonzero(changed.any(axis=0))
    swapped = sum(("\n" + column for column in columns[1:]), columns[0])
    before = after = predictions.where(touched)
    if len(touched):
        scores = np.asarray(probabilities(*(column[touched].tolist() for column in columns)))
        after = dataclasses.replace(before, scores=scores)
    said_before, said_after = Decisions.of(before).said, Decisions.of(after).said
    flipped = np.flatnonzero((said_before != said_after).any(axis=1))
    sizes = np.abs(after.scores - before.scores).sum(axis=1)[flipped] / 2
    flipped = flipped[np.argsort(-sizes, kind="stable")]
    worst = [
        (
            before.keys[i],
            before.full_texts[i],
            swapped[touched[i]],
            _names(predictions.classes, said_before[i]),
            _names(predictions.classes, said_after[i]),
        )
        for i in flipped[:_WORST]
    ]
    result = Counterfactual(
        attribute=name,
        examples=len(touched),
        flip_rate=proportion(len(flipped), len(touched)),
        worst=tuple(worst),
    )
    return Flips(result, touched[flipped])


def _names(classes: tuple[str, ...], said: np.ndarray) -> str:
    return ", ".join(name for name, is_said in zip(classes, said, strict=True) if is_said)
