"""Which group an example belongs to."""

import re
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from components.evaluator.fairness.config import AttributeConfig
from components.evaluator.fairness.words import (
    ADULT,
    ADULT_FROM,
    AGE_WORDS,
    CHILD,
    ELDERLY,
    ELDERLY_FROM,
    SEX_WORDS,
)

NONE, SEVERAL = "(none)", "(several)"  # reported, so that the groups add up, but never compared

_UNITS = r"(years?|yrs?|months?|weeks?|days?)"
_NUMBER = r"(\d{1,3}(?:\.\d+)?)"
_OLD = r"(?:old|of\sage|(?:and|or)\s(?:older|over|above))"
_TO = r"\s?(?:-|–|to|and|or)\s?"
_AGES = (  # number, second number of a range, unit
    re.compile(rf"(?<![\w.]){_NUMBER}(?:-?{_TO}{_NUMBER})?[\s-]?{_UNITS}[\s-]{_OLD}\b"),
    re.compile(rf"(?<![\w.]){_NUMBER}()[\s-]?(y/?o|y\.o\.)(?!\w)"),
    re.compile(
        rf"\baged?\s(?:(?:of|was|is|from|between)\s)?{_NUMBER}(?:{_TO}{_NUMBER})?(?![\w.]*\d)(?:[\s-]{_UNITS})?"
    ),
)
_PER_YEAR = {"m": 12, "w": 52, "d": 365}


class Groups:
    """Finds the group of an example.

    A raw feature's value is the group. A text rule looks for whole words, whatever their case: a text with
    words of one group belongs to it, one with words of several is of the group `SEVERAL`, one without of
    `NONE`, as is an example whose feature is missing.

    Args:
        attribute: the rule.
    """

    def __init__(self, attribute: AttributeConfig):
        self._feature = attribute.feature
        if attribute.rule == "age_band":
            by_words = _WordRule(AGE_WORDS)
            self._mentioned: Callable[[str], set[str]] = lambda text: {
                *by_words(text),
                *_age_bands(text),
            }
        else:
            self._mentioned = _WordRule(attribute.words or SEX_WORDS)

    def of(self, text: str, features: Mapping[str, str]) -> str:
        """The group's name.

        Args:
            text: the example's.
            features: its raw features, of which the rule's own is looked up; "" where missing.
        """
        if self._feature is not None:
            return features.get(self._feature, "") or NONE
        found = self._mentioned(text.casefold())
        return next(iter(found), NONE) if len(found) < 2 else SEVERAL

    def of_all(self, texts: np.ndarray, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """The groups of str [n] texts and features, str [n].

        Raises:
            ValueError: the examples lack the feature.
        """
        if self._feature is None:
            return np.array([self.of(text, {}) for text in texts], object)
        if self._feature not in features:
            raise ValueError(
                f"fairness: the examples have no feature {self._feature!r}, only "
                f"{', '.join(sorted(features)) or 'their text'}"
            )
        return np.array([value or NONE for value in features[self._feature]], object)


def word_pattern(words: tuple[str, ...], flags: int = 0) -> re.Pattern[str]:
    """Matches any of the words, whole; of two that begin alike the longer one."""
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", flags)


class _WordRule:
    """The groups that a casefolded text has words of."""

    def __init__(self, words: Mapping[str, tuple[str, ...]]):
        self._group = {word.casefold(): group for group, those in words.items() for word in those}
        self._pattern = word_pattern(tuple(self._group))

    def __call__(self, text: str) -> set[str]:
        return {self._group[word] for word in self._pattern.findall(text)}


def _age_bands(text: str) -> Iterator[str]:
    """The bands of all ages in a casefolded text; both ends of a range."""
    for pattern in _AGES:
        for *numbers, unit in pattern.findall(text):
            for number in filter(None, numbers):
                years = float(number) / _PER_YEAR.get(unit[:1], 1)
                yield CHILD if years < ADULT_FROM else ADULT if years < ELDERLY_FROM else ELDERLY
