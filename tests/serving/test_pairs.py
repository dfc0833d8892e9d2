"""Pairs of texts from arguments and from lines."""

import pytest

from serving.pairs import as_pairs, split_lines


def test_each_text_is_followed_by_its_second():
    assert as_pairs(["a", "b", "c", ""]) == (["a", "c"], ["b", ""])
    assert as_pairs([]) == ([], [])
    with pytest.raises(ValueError, match="3 texts are no pairs"):
        as_pairs(["a", "b", "c"])


def test_a_tab_is_between_the_texts_of_a_line():
    assert split_lines(["a b\tc", "\td"]) == (["a b", ""], ["c", "d"])
    for line in ("a", "a\tb\tc"):
        with pytest.raises(ValueError, match=r"line 2 has [02] tabs"):
            split_lines(["a\tb", line])
