"""Who belongs to which group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluator.fairness.config import AttributeConfig, FairnessConfig
from components.evaluator.fairness.groups import NONE, SEVERAL, Groups
from components.evaluator.fairness.words import SEX_WORDS

SEX, AGE = Groups(AttributeConfig(rule="sex")), Groups(AttributeConfig(rule="age_band"))
FILLERS = ["the", "heart", "shell", "heir", "mandible", "hero", "human", "5"]


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("She has a cough.", "female"),
        ("THE MAN'S heart", "male"),
        ("(his) lung", "male"),
        ("men and women", SEVERAL),
        ("the shell of a hero, in the mandible", NONE),  # parts of words are none
        ("", NONE),
    ],
)
def test_sex_by_whole_words(text, group):
    assert SEX.of(text, {}) == group


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("A 67-year-old man", "elderly"),
        ("aged 5 years", "child"),
        ("an infant with fever", "child"),
        ("in the elderly", "elderly"),
        ("Older adults were asked", "elderly"),
        ("adults were asked", "adult"),
        ("a 6-month-old", "child"),
        ("a 300-month-old", "adult"),
        ("3 days old", "child"),
        ("17.9 years old", "child"),
        ("18 years of age", "adult"),
        ("64-yr-old", "adult"),
        ("65 years and older", "elderly"),
        ("a 45 y/o driver", "adult"),
        ("mean age was 45.3 years", "adult"),
        ("aged 70", "elderly"),
        ("5- to 12-year-old girls", "child"),
        ("aged 5 to 12 years", "child"),
        ("aged 12 to 25 years", SEVERAL),
        ("an infant and her 30-year-old mother", SEVERAL),
        ("5-year survival after 12 months", NONE),
        ("in 1967 years of age were not recorded", NONE),
        ("managed 5 cases", NONE),
    ],
)
def test_age_bands(text, group):
    assert AGE.of(text, {}) == group


@given(
    st.lists(st.sampled_from([*SEX_WORDS["female"], *SEX_WORDS["male"], *FILLERS])),
    st.sampled_from([str.lower, str.upper, str.title]),
    st.sampled_from([" ", ", ", ". ", "-", "\n"]),
)
def test_the_group_is_that_of_the_words(words, case, space):
    mentioned = {group for group, those in SEX_WORDS.items() if set(words) & set(those)}
    expected = SEVERAL if len(mentioned) > 1 else next(iter(mentioned), NONE)
    assert SEX.of(space.join(map(case, words)), {}) == expected


def test_words_of_ones_own_may_be_phrases():
    groups = Groups(AttributeConfig(words={"old": ("ECG",), "new": ("heart rate", "C++")}))
    assert [groups.of(text, {}) for text in ("an ecg", "a Heart Rate", "in c++", "a heart")] == [
        *("old", "new", "new", NONE)
    ]


def test_a_features_values_are_groups():
    groups = Groups(AttributeConfig(feature="language"))
    texts = np.array(["she", "he", "it"], object)
    found = groups.of_all(texts, {"language": np.array(["eng", "", "ger"], object)})
    assert found.tolist() == ["eng", NONE, "ger"]
    assert groups.of("she", {"language": "eng"}) == "eng"
    with pytest.raises(ValueError, match="no feature 'language', only year"):
        groups.of_all(texts, {"year": texts})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "give one of feature"),
        ({"feature": "a", "rule": "sex"}, "give one of feature"),
        ({"words": {"a": ["x"]}}, "at least two"),
        ({"words": {"a": ["x", "y"], "b": ["X"]}}, "x twice"),
        ({"rule": "age_band", "swap": True}, "swap needs"),
        ({"feature": "sex", "swap": True}, "swap needs"),
        ({"words": {"a": ["x", "y"], "b": ["z"]}, "swap": True}, "swap needs"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        AttributeConfig.model_validate(values)


def test_a_flip_rate_needs_a_swap():
    attributes = {"sex": AttributeConfig(rule="sex")}
    with pytest.raises(ValueError, match="no attribute has swap"):
        FairnessConfig(attributes=attributes, max_flip_rate=0.1)


def test_features_that_are_needed():
    config = FairnessConfig(
        attributes={
            "a": AttributeConfig(feature="year_band"),
            "b": AttributeConfig(rule="sex"),
            "c": AttributeConfig(feature="language"),
        }
    )
    assert config.features == ("language", "year_band")
