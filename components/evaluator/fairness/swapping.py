"""The text that would have been written of somebody of the other group."""

import re

from components.evaluator.fairness.config import AttributeConfig
from components.evaluator.fairness.groups import word_pattern
from components.evaluator.fairness.words import FUNCTION_WORDS, SEX_PAIRS

_NEXT_WORD = re.compile(r"\s+(\w+)")
_POSSESSIVE = {"her": ("his", "him"), "his": ("her", "hers")}  # before a noun, elsewhere


class Swapper:
    """Puts the words of each of two groups in place of the other's, in one pass.

    Case is kept: "She" becomes "He", "MEN" becomes "WOMEN". Of the sex words two have two counterparts each,
    and which one is meant is guessed from the word that follows: "her" is "his" before a noun ("her heart")
    and "him" elsewhere ("treated her with"); "his" is "her" before a noun and "hers" elsewhere. As before a
    noun counts every following word that is not an article, a pronoun, a preposition, a conjunction or an
    auxiliary.

    Args:
        attribute: one that can be swapped.

    Raises:
        ValueError: it cannot.
    """

    def __init__(self, attribute: AttributeConfig):
        if not attribute.can_swap:
            raise ValueError("the attribute's words have no counterparts")
        if attribute.words is None:
            one_way = {"him": "her", "hers": "his", "mrs": "mr"}
            pairs, self._possessive = SEX_PAIRS, _POSSESSIVE
        else:
            first, second = attribute.words.values()
            one_way, self._possessive = {}, {}
            pairs = tuple(zip(first, second, strict=True))
        self._counterpart = {
            **{a.casefold(): b for a, b in pairs},
            **{b.casefold(): a for a, b in pairs},
            **one_way,
        }
        words = (*self._counterpart, *self._possessive)
        self._pattern = word_pattern(words, re.IGNORECASE)

    def __call__(self, text: str) -> str:
        """The text with swapped words; the same text if it has none."""
        return self._pattern.sub(self._swapped, text)

    def _swapped(self, match: re.Match[str]) -> str:
        word = match.group()
        name = word.casefold()
        if name in self._possessive:
            before_noun, elsewhere = self._possessive[name]
            following = _NEXT_WORD.match(match.string, match.end())
            is_before_noun = following and following.group(1).casefold() not in FUNCTION_WORDS
            return _with_case_of(word, before_noun if is_before_noun else elsewhere)
        # "ı" matches an "i" without being it in another case: such a word is left alone.
        return _with_case_of(word, self._counterpart[name]) if name in self._counterpart else word


def _with_case_of(model: str, word: str) -> str:
    """`word` in capitals, with a capital first letter, or as it is."""
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word
