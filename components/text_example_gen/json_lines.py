"""Rows of JSON Lines files: one object a line."""

import json
from collections.abc import Iterator

from components.example_gen.files import open_bytes
from components.example_gen.records import Rejected
from components.text_example_gen.config import TextConfig
from components.text_example_gen.rows import Row, lines


def columns(path: str, config: TextConfig) -> None:
    """Every line names its own."""


def rows(path: str, config: TextConfig) -> Iterator[Row | Rejected]:
    """Yields the objects; blank lines are skipped."""
    number = 0
    with open_bytes(path) as stream:
        for line_number, line in enumerate(lines(stream, config.max_row_bytes), start=1):
            if line is None or line.strip():
                number += 1
                yield _row(line, number, f"row {number}, line {line_number}")


def _row(line: bytes | None, number: int, position: str) -> Row | Rejected:
    if line is None:
        return Rejected(position, "too_large", "the line is over six times `max_text_bytes`")
    excerpt = line[:400].decode(errors="backslashreplace")
    try:
        values = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        return Rejected(position, "invalid_utf8", str(error), excerpt)
    except (ValueError, RecursionError) as error:
        return Rejected(position, "bad_json", str(error), excerpt)
    if not isinstance(values, dict):
        kind = type(values).__name__
        return Rejected(position, "not_an_object", f"expected an object, found {kind}", excerpt)
    return Row(number, position, values)
