"""The sentence splitter on hand-split passages, and what holds for any text."""

import importlib.util
import pathlib

import hypothesis
import pytest
from hypothesis import strategies as st

from components.pretrain_example_gen.sentences import split_sentences

# By path: pytest's importlib mode puts no test folder on the module path.
_SPEC = importlib.util.spec_from_file_location(
    "sentence_gold", pathlib.Path(__file__).with_name("sentence_gold.py")
)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)

# What the rules look at, in any order: far more likely to break them than random letters.
_WORDS = (
    "e.g. Fig. Figs. al. vs. Dr. No. 5 12 0.05 E. coli A. B. vitamin D. U.S. The We it p53 α-actin",
    "( ) (a. [2] .[3] . .. ? ! ... . \" ' “ ” METHODS: mg. 5 g. i.v. etc. end.12 end.The . ; ß",
)
_PIECES = st.sampled_from([*" ".join(_WORDS).split(), "\n", "\n\n", "\t", "\u00a0", "\u2003"])
_TEXTS = st.one_of(
    st.lists(_PIECES, max_size=30).map(" ".join), st.lists(_PIECES).map("".join), st.text()
)


@pytest.mark.parametrize("sentences", _MODULE.GOLD, ids=lambda sentences: sentences[0][:40])
def test_passages_are_split_as_by_hand(sentences):
    assert split_sentences(" ".join(sentences)) == sentences


def test_a_forgotten_space_does_not_join_two_sentences():
    assert split_sentences("It is bad.The rest is.") == ["It is bad.", "The rest is."]


def test_a_line_break_is_a_space_and_a_blank_line_an_end():
    assert split_sentences("Given to\nDr. X\n\nand kept\n") == ["Given to Dr. X", "and kept"]


@pytest.mark.parametrize("text", ["", "  ", "\n\n \n"])
def test_no_text_has_no_sentence(text):
    assert split_sentences(text) == []


@hypothesis.given(_TEXTS)
def test_nothing_but_white_space_is_lost(text):
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


@hypothesis.given(_TEXTS)
def test_no_sentence_is_empty_or_has_space_around_it(text):
    assert all(sentence and sentence == sentence.strip() for sentence in split_sentences(text))


@hypothesis.given(_TEXTS)
def test_a_sentence_is_one_sentence(text):
    for sentence in split_sentences(text):
        assert split_sentences(sentence) == [sentence]
