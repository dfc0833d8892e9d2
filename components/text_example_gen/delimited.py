"""Rows of CSV and TSV files, as RFC 4180 has them: quoted fields may hold delimiters and newlines.

A broken row costs that row's first line only: reading goes on with the next line, so that one stray
quote does not swallow what follows.
"""

import collections
import csv
import io
import re
from collections.abc import Iterator

from components.example_gen.files import GZIP_ERRORS, ByteStream, open_bytes
from components.example_gen.records import InputError, Rejected
from components.text_example_gen.config import TextConfig
from components.text_example_gen.rows import Row

# csv refuses NUL before Python 3.11; a lone surrogate no decoder produces stands in for it.
_NUL = "\udc00"
_NO_TEXT = re.compile("[\udc00-\udcff]")  # those, and what "surrogateescape" makes of other bytes


class _TooLong(csv.Error):
    """The row under way is over the size limit."""


class _Lines:
    """Feeds csv.reader, and remembers the lines of the row under way, so that it can be retried."""

    def __init__(self, stream: io.TextIOBase, max_length: int):
        self._stream = stream
        self._max_length = max_length
        self._returned: collections.deque[str] = collections.deque()
        self._line_number = 1
        self._length = 0
        self.row: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else self._read()
        if not line:
            raise StopIteration
        self.row.append(line)
        self._length += len(line)
        if self._length > self._max_length:
            raise _TooLong("the row is over six times `max_text_bytes`")
        return line

    def start_row(self) -> int:
        """Forgets the row before; returns the number of the line the next one begins on."""
        self._line_number += len(self.row)
        self._length = 0
        self.row = []
        return self._line_number

    def retry_after_first_line(self) -> None:
        """Gives all lines but the first back, to be read again as rows of their own."""
        self._returned.extendleft(reversed(self.row[1:]))
        del self.row[1:]

    def _read(self) -> str:
        line = self._stream.readline(self._max_length + 1)
        rest = line
        while rest and len(line) > self._max_length and not rest.endswith(("\n", "\r")):
            rest = self._stream.readline(1 << 16)
        return line.replace("\0", _NUL)


def columns(path: str, config: TextConfig) -> list[str] | None:
    """The header's names; None where the file has no readable header.

    Raises:
        InputError: the header cannot be that of a UTF-8 table.
    """
    try:
        with open_bytes(path) as stream:
            return _header(*_open_table(path, stream, config), path)
    except GZIP_ERRORS:
        return None


def rows(path: str, config: TextConfig) -> Iterator[Row | Rejected]:
    """Yields the rows below the header."""
    with open_bytes(path) as stream:
        lines, table = _open_table(path, stream, config)
        header = _header(lines, table, path)
        if header is None:
            yield Rejected("start of file", "empty_file", "there is no header line")
            return
        for number, (line, fields) in enumerate(_parsed(lines, table), start=1):
            yield _row(fields, header, number, line, "".join(lines.row))


def _open_table(
    path: str, stream: ByteStream, config: TextConfig
) -> tuple[_Lines, Iterator[list[str]]]:
    tabs = config.format == "tsv" or path.removesuffix(".gz").endswith(".tsv")
    delimiter = config.delimiter or ("\t" if tabs else ",")
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    lines = _Lines(text, config.max_row_bytes)
    csv.field_size_limit(config.max_row_bytes)  # of the csv module as a whole; its default is small
    return lines, csv.reader(lines, delimiter=delimiter, strict=True)


def _header(lines: _Lines, table: Iterator[list[str]], path: str) -> list[str] | None:
    for line, fields in _parsed(lines, table):
        if isinstance(fields, csv.Error):
            raise InputError(f"{path}, line {line}: the header can't be read ({fields})")
        if _NO_TEXT.search("".join(lines.row)):
            raise InputError(f"{path}, line {line}: the header can't be read; is the file UTF-8?")
        twice = [name for name, n in collections.Counter(fields).items() if n > 1]
        if twice:
            raise InputError(f"{path}, line {line}: the header names {twice} more than once")
        return fields
    return None


def _parsed(
    lines: _Lines, table: Iterator[list[str]]
) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Yields the first line's number and the fields of each row, or why it has none."""
    while True:
        line = lines.start_row()
        try:
            fields = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, error
            lines.retry_after_first_line()
            continue
        if fields:  # an empty line is none
            yield line, fields


def _row(
    fields: list[str] | csv.Error, header: list[str], number: int, line: int, raw: str
) -> Row | Rejected:
    position = f"row {number}, line {line}"

    def rejected(reason: str, detail: str) -> Rejected:
        return Rejected(position, reason, detail, raw.replace(_NUL, "\0").rstrip("\r\n"))

    if isinstance(fields, csv.Error):
        return rejected(_reason(fields), str(fields))
    if len(fields) != len(header):
        return rejected("column_count", f"expected {len(header)} columns, found {len(fields)}")
    no_text = _NO_TEXT.search(raw)
    if no_text and no_text[0] == _NUL:
        return rejected("nul_byte", "the row holds a NUL byte")
    if no_text:
        byte = ord(no_text[0]) - 0xDC00
        return rejected("invalid_utf8", f"byte 0x{byte:02x} is not UTF-8 there")
    return Row(number, position, dict(zip(header, fields, strict=True)))


def _reason(error: csv.Error) -> str:
    if isinstance(error, _TooLong):
        return "too_large"
    return "unclosed_quote" if "unexpected end of data" in str(error) else "bad_quoting"
