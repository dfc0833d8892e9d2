"""The gate's rules for a language model."""

import pydantic

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

    def failures(self, metrics: dict[str, float]) -> list[str]:
        """A sentence for each rule that the metrics do not keep; a missing one or NaN keeps none."""
        sentences = []
        for rule, limit in self.model_dump(exclude_none=True).items():
            bound, _, name = rule.partition("_")
            value = metrics.get(name)
            if value is None:
                sentences.append(f"{name} is not measured for this model, but {rule} is given")
            elif not (value >= limit if bound == "min" else value <= limit):
                asked = "at least" if bound == "min" else "at most"
                sentences.append(
                    f"{name} on the eval split is {value:.4f}, asked {asked} {limit:g}"
                )
        return sentences
