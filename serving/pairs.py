"""Pairs of texts, as they are given on a command line or in a file."""

from collections.abc import Sequence

_TAB = "\t"


def as_pairs(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """First and second texts, each first one followed by its second.

    Raises:
        ValueError: a second text is missing.
    """
    if len(texts) % 2:
        raise ValueError(
            f"{len(texts)} texts are no pairs: each text is followed by its second text"
        )
    return list(texts[::2]), list(texts[1::2])


def split_lines(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """First and second texts of lines with a tab between them.

    Raises:
        ValueError: a line has no tab, or several.
    """
    for number, line in enumerate(lines, start=1):
        if line.count(_TAB) != 1:
            raise ValueError(
                f"line {number} has {line.count(_TAB)} tabs: a pair is two texts with one tab between"
            )
    return [line.partition(_TAB)[0] for line in lines], [line.partition(_TAB)[2] for line in lines]
