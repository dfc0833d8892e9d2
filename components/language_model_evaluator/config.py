"""The gate's rules for a language model."""

import math

import pydantic

from components.evaluator.verdict import OVERALL, Estimate, Rule
from models.config import Config


class LanguageModelGateConfig(Config):
    """What a language model must reach on the eval split before it may be pushed.

    Attributes:
        max_perplexity: exp of the mean loss of a token: of the masked ones for a BERT, of all for a GPT.
        min_mlm_accuracy: share of masked tokens that a BERT guesses, if given.
        min_nsp_accuracy: share of sentence pairs that it tells right, if given.
        max_bits_per_byte: a GPT's loss by the bytes of the text it explains, if given.
    """

    max_perplexity: float = pydantic.Field(gt=1)
    min_mlm_accuracy: float | None = pydantic.Field(default=None, ge=0, le=1)
    min_nsp_accuracy: float | None = pydantic.Field(default=None, ge=0, le=1)
    max_bits_per_byte: float | None = pydantic.Field(default=None, gt=0)

    def judge(self, metrics: dict[str, float], rows: int) -> list[Rule]:
        """Every rule that is given, and what came of it; a metric that is missing or NaN keeps none.

        Args:
            metrics: measured, by name.
            rows: of how many.
        """
        return [
            _rule(name, threshold, metrics, rows)
            for name, threshold in self.model_dump(exclude_none=True).items()
        ]


def _rule(name: str, threshold: float, metrics: dict[str, float], rows: int) -> Rule:
    bound, _, metric = name.partition("_")
    value = metrics.get(metric)
    asked = "at least" if bound == "min" else "at most"
    if value is None:
        is_met = False
        sentence = f"{metric} is not measured for this model, but {name} is given"
    else:
        is_met = value >= threshold if bound == "min" else value <= threshold
        sentence = f"{metric} on the eval split is {value:.4f}, asked {asked} {threshold:g}"
    known = value if value is not None and math.isfinite(value) else None
    return Rule(
        name=name,
        metric=metric,
        slice=OVERALL,
        estimate=Estimate(value=known, low=None, high=None),
        examples=rows,
        threshold=threshold,
        is_met=is_met,
        blocks=True,
        sentence=sentence,
    )
