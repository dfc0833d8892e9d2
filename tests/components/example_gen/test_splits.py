"""Splits depend on the key alone."""

import hypothesis
import pydantic
import pytest
from hypothesis import strategies as st

from components.example_gen.config import ModuloRule, SplitConfig
from components.example_gen.splits import assign_split

_HALVES = SplitConfig(eval=0.25, test=0.25)


@hypothesis.given(st.lists(st.text(), unique=True, min_size=1), st.randoms())
def test_order_and_neighbours_do_not_matter(keys, random):
    alone = {key: assign_split(key, _HALVES) for key in keys}
    random.shuffle(keys)
    assert {key: assign_split(key, _HALVES) for key in keys} == alone


def test_fractions_are_met():
    splits = [assign_split(str(number), _HALVES) for number in range(4000)]
    assert 900 < splits.count("test") < 1100
    assert 900 < splits.count("eval") < 1100


def test_known_keys_stay_where_they_always_were():
    """The very assignment is a promise: changing the hash would move records between splits."""
    config = SplitConfig(eval=0.3, test=0.3, salt="a")
    assert [assign_split(str(n), config) for n in range(6)] == [
        "train",
        "test",
        "train",
        "train",
        "eval",
        "test",
    ]


def test_more_eval_leaves_test_alone():
    wider = SplitConfig(eval=0.5, test=0.25)
    for number in range(500):
        was_test = assign_split(str(number), _HALVES) == "test"
        assert was_test == (assign_split(str(number), wider) == "test")


def test_another_salt_divides_otherwise():
    salted = SplitConfig(eval=0.25, test=0.25, salt="other")
    assert any(assign_split(str(n), salted) != assign_split(str(n), _HALVES) for n in range(50))


def test_modulo_rule_decides_test_and_nothing_else():
    config = SplitConfig(eval=0.5, test_rule=ModuloRule(modulus=5, remainder=2))
    splits = {number: assign_split(str(number), config) for number in range(100)}
    assert {n for n, split in splits.items() if split == "test"} == set(range(2, 100, 5))
    assert set(splits.values()) == {"train", "eval", "test"}


@pytest.mark.parametrize("key", ["", "12a", "-5", "٣", "1_0"])
def test_modulo_rule_needs_an_integer_key(key):
    config = SplitConfig(test_rule=ModuloRule(modulus=5))
    with pytest.raises(ValueError, match="integer key"):
        assign_split(key, config)


def test_without_a_test_fraction_there_is_no_test_split():
    config = SplitConfig(test=0)
    assert config.names == ["train", "eval"]
    assert "test" not in {assign_split(str(number), config) for number in range(200)}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"test": 0.1, "test_rule": {"modulus": 5}},
        {"test": 0.6, "eval": 0.4},
        {"test_rule": {"modulus": 5, "remainder": 5}},
        {"test": 0.1, "eval": 0},
    ],
)
def test_impossible_divisions_are_refused(settings):
    with pytest.raises(pydantic.ValidationError):
        SplitConfig(**settings)
