"""Words of one group in place of the other's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluator.fairness.config import AttributeConfig
from components.evaluator.fairness.groups import Groups
from components.evaluator.fairness.swapping import Swapper
from components.evaluator.fairness.words import SEX_PAIRS

SEX = AttributeConfig(rule="sex", swap=True)
swap, groups = Swapper(SEX), Groups(SEX)
UNAMBIGUOUS = [word for pair in SEX_PAIRS for word in pair]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She took her pills.", "He took his pills."),
        ("We treated her.", "We treated him."),
        ("We treated her with aspirin", "We treated him with aspirin"),
        ("We saw him twice", "We saw her twice"),
        ("HIS heart, his\n5-day fever", "HER heart, her\n5-day fever"),
        ("A friend of his; hers is Mrs. Smith", "A friend of hers; his is Mr. Smith"),
        ("the shell, a hero", "the shell, a hero"),
        ("gırls", "gırls"),  # with a dotless i, which no case of "girls" has
        ("", ""),
    ],
)
def test_swapped(text, expected):
    assert swap(text) == expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*UNAMBIGUOUS, "the", "heart", "shell"])
            | st.text(".,;'-\n0éß", max_size=4),
            st.sampled_from([str.lower, str.upper, str.capitalize]),
        )
    )
)
def test_swapping_twice_is_the_identity_on_unambiguous_words(words):
    text = " ".join(case(word) for word, case in words)
    assert swap(swap(text)) == text


@given(st.lists(st.sampled_from([*UNAMBIGUOUS, "her", "his", "him", "hers", "mrs", "heart"])))
def test_the_swapped_text_is_of_the_other_group(words):
    other = {"female": "male", "male": "female"}
    group = groups.of(" ".join(words), {})
    assert groups.of(swap(" ".join(words)), {}) == other.get(group, group)


def test_words_of_ones_own_correspond_by_their_place():
    attribute = AttributeConfig(words={"a": ("Berlin", "the Spree"), "b": ("Paris", "the Seine")})
    assert Swapper(attribute)("PARIS on the Seine, not berlin") == "BERLIN on the Spree, not Paris"


def test_what_has_no_counterparts_is_refused():
    with pytest.raises(ValueError, match="no counterparts"):
        Swapper(AttributeConfig(rule="age_band"))
