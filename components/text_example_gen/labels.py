"""Labels of a cell: a number, or any number of classes."""

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np

SEPARATOR = ";"  # between the classes in one cell, unless the settings name another


class BadLabel(Exception):
    """A cell that holds no such label; `reason` is for the quarantine, the message for people."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


def number(column: str, value: Any) -> float:
    """The finite number in a cell.

    Args:
        column: for the message.
        value: int, float, or its text as str or bytes.

    Raises:
        BadLabel: the cell is empty, or holds no number that float32 can.
    """
    text = _text(column, value) if isinstance(value, str | bytes) else value
    if text is None or text == "":
        raise BadLabel("empty_label", f"column {column!r} is empty")
    try:
        if isinstance(text, bool | list):
            raise TypeError
        found = float(text)
    except (TypeError, ValueError, OverflowError):
        raise BadLabel(
            "not_a_number", f"column {column!r}: expected a number, found {str(value)[:100]!r}"
        ) from None
    with np.errstate(over="ignore"):
        is_finite = bool(np.isfinite(np.float32(found)))
    if not is_finite:
        raise BadLabel(
            "not_finite", f"column {column!r}: {str(value)[:100]!r} is no finite number of 32 bits"
        )
    return found


def classes(column: str, value: Any, separator: str) -> list[str]:
    """The classes in a cell, in its order; none of an empty one.

    Args:
        column: for the messages.
        value: text with the separator between classes, a list of texts or integers, an integer, or None.
        separator: what divides a text; a list's texts are not divided.

    Raises:
        BadLabel: a class has no name, stands twice, or is no text.
    """
    if isinstance(value, str | bytes):
        text = _text(column, value)
        parts = text.split(separator) if text else []
    else:
        parts = value if isinstance(value, list) else [] if value is None else [value]
    names = [_name(column, part) for part in parts]
    if "" in names:
        raise BadLabel(
            "empty_class", f"column {column!r}: a class without a name in {value!r:.100}"
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadLabel(
            "duplicate_class", f"column {column!r}: {', '.join(twice)[:100]} more than once"
        )
    return names


def check_known(found: Sequence[str], known: Sequence[str] | None) -> None:
    """Looks whether classes are among those there may be; `None` knows all.

    Raises:
        BadLabel: one is not.
    """
    for name in found:
        if known is not None and name not in known:
            near = difflib.get_close_matches(name, known, n=1) or known
            raise BadLabel(
                "unknown_label",
                f"{name[:100]!r} is not among `classes`; nearest: {', '.join(near)}",
            )


def _name(column: str, part: Any) -> str:
    if isinstance(part, int) and not isinstance(part, bool):
        return str(part)
    if isinstance(part, str | bytes):
        return _text(column, part)
    kind = type(part).__name__
    raise BadLabel("wrong_type", f"column {column!r}: expected names of classes, found {kind}")


def _text(column: str, value: str | bytes) -> str:
    try:
        return (value.decode() if isinstance(value, bytes) else value).strip()
    except UnicodeDecodeError as error:
        raise BadLabel("invalid_utf8", f"column {column!r}: {error}") from None
