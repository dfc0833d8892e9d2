"""Which spans of data there are under a pattern, and which of them belong to a window."""

import dataclasses
import datetime
import os
import re
from collections.abc import Sequence

from tfx.dsl.io import fileio

from components.example_gen.config import WindowConfig
from components.example_gen.records import InputError

_PLACEHOLDER = re.compile(r"\{(SPAN|VERSION|YYYY|MM|DD)(?::(\d+))?\}")
_DATE_WIDTHS = {"YYYY": 4, "MM": 2, "DD": 2}
_EPOCH = datetime.date(1970, 1, 1)


@dataclasses.dataclass(frozen=True)
class Span:
    """One span in its newest version.

    Attributes:
        number: that the pattern's `{SPAN}` stands for, or the days since 1970 of its date, as TFX counts.
        version: of `{VERSION}`, None if the pattern has none.
        pattern: of the span's files, relative to the data folder; no placeholder is left in it.
    """

    number: int
    version: int | None
    pattern: str


def has_spans(pattern: str) -> bool:
    """Whether a pattern has a placeholder for spans."""
    return _PLACEHOLDER.search(pattern) is not None


def find_spans(folder: str, pattern: str) -> list[Span]:
    """All spans in a folder, each in its newest version, the oldest first.

    What the pattern's wildcards find but has no number, or no date, in a placeholder's place is no span.

    Args:
        folder: on any file system of TFX.
        pattern: with `{SPAN}` or `{YYYY}`, `{MM}` and `{DD}`, and perhaps `{VERSION}`; a width may be
            given, as in `{SPAN:3}`.

    Raises:
        InputError: two names stand for the same span and version, such as 1 and 01.
    """
    regex = re.compile(re.escape(os.path.join(folder, "")) + _regex(pattern))
    newest: dict[int, Span] = {}
    for path in fileio.glob(os.path.join(folder, _PLACEHOLDER.sub("*", pattern))):
        match = regex.fullmatch(path)
        span = _span(pattern, match.groupdict()) if match else None
        if span is None:
            continue
        number, version = span.number, span.version
        known = newest.setdefault(number, span)
        if (known.version or 0) < (version or 0):
            newest[number] = span
        elif known.version == version and known.pattern != span.pattern:
            raise InputError(
                f"{folder}: {known.pattern} and {span.pattern} are both span {number}: rename one of them"
            )
    return [newest[number] for number in sorted(newest)]


def window(spans: Sequence[Span], config: WindowConfig) -> list[Span]:
    """The newest spans that there are up to the last one, without those to be skipped.

    Args:
        spans: all of them, the oldest first.
        config: how many, and up to which.

    Raises:
        InputError: there is none, or the one that the settings name last is missing.
    """
    numbers = [span.number for span in spans]
    if config.last is not None and config.last not in numbers:
        raise InputError(
            f"spans.last is {config.last}, but there is {', '.join(map(str, numbers)) or 'no span'}"
        )
    wanted = [
        span
        for span in spans
        if span.number not in config.skip and (config.last is None or span.number <= config.last)
    ]
    if not wanted:
        raise InputError(f"of the spans {numbers} none is left to read: correct `pattern` or spans")
    return wanted[-config.window :]


def _regex(pattern: str) -> str:
    """The pattern as a regular expression whose groups are named after the placeholders."""
    parts, end = [], 0
    for match in _PLACEHOLDER.finditer(pattern):
        name, width = match.groups()
        digits = _DATE_WIDTHS.get(name) or width
        parts += [
            _literal(pattern[end : match.start()]),
            f"(?P<{name}>[0-9]" + (f"{{{digits}}})" if digits else "+)"),
        ]
        end = match.end()
    return "".join([*parts, _literal(pattern[end:])])


def _literal(part: str) -> str:
    return re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")


def _span(pattern: str, found: dict[str, str]) -> Span | None:
    """The span that a pattern stands for with texts in its placeholders' places, None if it is no date."""
    number = _number(found)
    if number is None:
        return None
    version = int(found["VERSION"]) if "VERSION" in found else None
    return Span(number, version, _PLACEHOLDER.sub(lambda name: found[name[1]], pattern))


def _number(found: dict[str, str]) -> int | None:
    if "SPAN" in found:
        return int(found["SPAN"])
    try:
        date = datetime.date(*(int(found[name]) for name in _DATE_WIDTHS))
    except ValueError:
        return None
    return (date - _EPOCH).days
