"""Which groups the gate compares, and how far apart they may be."""

from typing import Annotated, Literal

import pydantic

from models.config import Config

RateName = Literal["accuracy", "false_positive_rate", "false_negative_rate"]
RATES: tuple[RateName, ...] = ("accuracy", "false_positive_rate", "false_negative_rate")
Share = Annotated[float, pydantic.Field(ge=0, le=1)]
Words = Annotated[
    tuple[Annotated[str, pydantic.Field(min_length=1)], ...], pydantic.Field(min_length=1)
]


class AttributeConfig(Config):
    """How an example's group is found; exactly one of `feature`, `rule` and `words` is given.

    Attributes:
        feature: a raw feature whose values are the groups, e.g. "year_band" or "language".
        rule: a built-in text rule: "sex" (female, male; by words such as "she" and "man") or "age_band"
            (child, adult, elderly; by ages such as "a 67-year-old" and words such as "infant").
        words: a text rule of one's own: whole words by group, whatever their case.
        swap: also put each group's words in place of the other's, and count how often the prediction
            changes; for "sex", or for `words` of two groups, which then correspond one to one.
    """

    feature: str | None = None
    rule: Literal["sex", "age_band"] | None = None
    words: dict[str, Words] | None = None
    swap: bool = False

    @pydantic.model_validator(mode="after")
    def _is_one_rule(self) -> "AttributeConfig":
        if sum(x is not None for x in (self.feature, self.rule, self.words)) != 1:
            raise ValueError("give one of feature (a raw feature), rule (sex, age_band) or words")
        if self.words is not None:
            _check_words(self.words)
        if self.swap and not self.can_swap:
            raise ValueError(
                "swap needs rule: sex, or words of two groups with equally many words, each the counterpart "
                "of the other group's word at its place"
            )
        return self

    @property
    def can_swap(self) -> bool:
        """Whether every word of a group has a counterpart."""
        if self.words is None:
            return self.rule == "sex"
        return len(self.words) == 2 and len({len(words) for words in self.words.values()}) == 1


def _check_words(words: dict[str, Words]) -> None:
    """Refuses what cannot tell groups apart."""
    if len(words) < 2:
        raise ValueError("words has one group: at least two can be compared")
    everything = [word.casefold() for group in words.values() for word in group]
    if twice := sorted({word for word in everything if everything.count(word) > 1}):
        raise ValueError(f"words has {', '.join(twice)} twice: a word belongs to one group")


class FairnessConfig(Config):
    """Groups and limits.

    Attributes:
        attributes: how groups are found, by the attribute's name.
        min_examples: a group of fewer informs, but is not compared with others.
        positive_class: the class of the false-positive and false-negative rates; by default they are the
            means over all classes, each against the rest.
        max_gaps: the largest difference between two groups of an attribute, by the rate's name. A limit is
            met only if the whole 95 % interval of every difference is below it.
        max_flip_rate: the largest share of texts whose prediction changes when words are swapped, met only
            if the whole interval is below it; needs an attribute with `swap`.
    """

    attributes: dict[str, AttributeConfig] = pydantic.Field(min_length=1)
    min_examples: int = pydantic.Field(default=50, ge=1)
    positive_class: str | None = None
    max_gaps: dict[RateName, Share] = {}
    max_flip_rate: Share | None = None

    @pydantic.model_validator(mode="after")
    def _flips_are_measured(self) -> "FairnessConfig":
        if self.max_flip_rate is not None and not any(a.swap for a in self.attributes.values()):
            raise ValueError("max_flip_rate is given, but no attribute has swap: true")
        return self

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the raw features that are needed to find the groups."""
        return tuple(sorted({a.feature for a in self.attributes.values() if a.feature}))
