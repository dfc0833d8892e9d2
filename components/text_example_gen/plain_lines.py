"""Rows of plain text files: one document a line, in the column `text`."""

from collections.abc import Iterator

from components.example_gen.files import open_bytes
from components.example_gen.records import Rejected
from components.text_example_gen.config import TextConfig
from components.text_example_gen.rows import Row, lines


def columns(path: str, config: TextConfig) -> list[str]:
    """Always the one."""
    return ["text"]


def rows(path: str, config: TextConfig) -> Iterator[Row | Rejected]:
    """Yields the lines; an empty one is an empty document."""
    with open_bytes(path) as stream:
        for number, line in enumerate(lines(stream, config.max_row_bytes), start=1):
            position = f"line {number}"
            if line is None:
                detail = "the line is over six times `max_text_bytes`"
                yield Rejected(position, "too_large", detail)
            else:
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                yield Row(number, position, {"text": text})
