"""Reads text in CSV, TSV, JSON Lines, Parquet, plain lines or TFRecord into examples."""

import difflib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from components.example_gen.executor import ExampleGenExecutor
from components.example_gen.records import Features, InputError, Outcome, Reader, Record, Rejected
from components.text_example_gen import (
    delimited,
    json_lines,
    labels,
    parquet,
    plain_lines,
    tf_records,
)
from components.text_example_gen.config import TextConfig
from components.text_example_gen.rows import Row

_FORMATS = {
    "csv": delimited,
    "tsv": delimited,
    "jsonl": json_lines,
    "parquet": parquet,
    "text": plain_lines,
    "tfrecord": tf_records,
}
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".txt": "text",
    ".tfrecord": "tfrecord",
}


def format_of_name(path: str) -> str | None:
    """The format that a file's suffix tells, before `.gz` if it has that; None if it tells none."""
    return _SUFFIXES.get(os.path.splitext(path.removesuffix(".gz"))[1])


class _Unusable(Exception):
    """A row that must be quarantined."""

    def __init__(self, reason: str, detail: str):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class TextReader(Reader):
    """Documents of tables and line files."""

    def __init__(self, config: TextConfig):
        self._config = config

    def check(self, paths: Sequence[str]) -> None:
        """Finds each file's format and the columns the settings name.

        Raises:
            InputError: a format is unknown, or a file lacks a column.
        """
        for path in paths:
            columns = _FORMATS[self._format(path)].columns(path, self._config)
            if columns is not None:
                _require_columns(path, columns, self._config.used_columns)

    def read(self, path: str) -> Iterator[Outcome]:
        """Yields one outcome for each row."""
        name = os.path.basename(path)
        for row in _FORMATS[self._format(path)].rows(path, self._config):
            yield row if isinstance(row, Rejected) else self._outcome(row, name)

    def _format(self, path: str) -> str:
        found = self._config.format or format_of_name(path)
        if found is None:
            raise InputError(
                f"{path}: can't tell the format from the name; set `format` to one of "
                f"{', '.join(_FORMATS)}, or narrow `pattern`"
            )
        return found

    def _outcome(self, row: Row, file_name: str) -> Record | Rejected:
        config, text = self._config, ""
        try:
            text = " ".join(filter(None, (_string(row, name) for name in config.text_columns)))
            key = f"{file_name}:{row.number}"
            if config.key_column is not None:
                key = _name(row, config.key_column, "empty_key")
            second = config.second_text_column
            pair = None if second is None else _string(row, second)
            return Record(row.position, key, text, self._label(row), self._features(row), pair)
        except _Unusable as problem:
            excerpt = text or repr(row.values)
            return Rejected(row.position, problem.reason, problem.detail, excerpt)

    def _label(self, row: Row) -> str | list[str] | float | None:
        column = self._config.label_column
        if column is None:
            return None
        try:
            if self._config.label_type == "number":
                return labels.number(column, _value(row, column))
            if self._config.label_type == "classes":
                separator = self._config.label_separator or labels.SEPARATOR
                found = labels.classes(column, _value(row, column), separator)
            else:
                found = [_name(row, column, "empty_label")]
            labels.check_known(found, self._config.classes)
        except labels.BadLabel as error:
            raise _Unusable(error.reason, str(error)) from None
        return found if self._config.label_type == "classes" else found[0]

    def _features(self, row: Row) -> Features:
        features: Features = {}
        for name, kind in self._config.columns.items():
            if kind == "bytes":
                features[name] = [_string(row, name)]
            elif (value := _value(row, name)) not in (None, "", b""):
                features[name] = [_integer(name, value) if kind == "int64" else _real(name, value)]
        return features


def _require_columns(path: str, found: list[str], wanted: list[str]) -> None:
    for name in wanted:
        if name not in found:
            near = difflib.get_close_matches(name, found, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"{path}: no column {name!r}. There is {', '.join(found)}{hint}")


def _value(row: Row, column: str) -> Any:
    if column not in row.values:
        near = difflib.get_close_matches(column, row.values, n=1) or list(row.values)
        detail = f"no field {column!r}; there is {', '.join(near)[:200] or 'none'}"
        raise _Unusable("missing_field", detail)
    return row.values[column]


def _string(row: Row, column: str) -> str:
    """The column's text; "" for null."""
    value = _value(row, column)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise _Unusable("invalid_utf8", f"column {column!r}: {error}") from None
    if value is None or isinstance(value, str):
        return value or ""
    kind = type(value).__name__
    raise _Unusable("wrong_type", f"column {column!r}: expected text, found {kind}")


def _name(row: Row, column: str, reason_if_empty: str) -> str:
    """A label or key: text or an integer, never empty."""
    value = _value(row, column)
    name = str(value) if isinstance(value, int) else _string(row, column).strip()
    if not name:
        raise _Unusable(reason_if_empty, f"column {column!r} is empty")
    return name


def _integer(column: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _no_number(column, value, "an integer") from error
    if (isinstance(value, float) and number != value) or not -(2**63) <= number < 2**63:
        raise _no_number(column, value, "an integer of 64 bits")
    return number


def _real(column: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _no_number(column, value, "a number") from error


def _no_number(column: str, value: Any, expected: str) -> _Unusable:
    detail = f"column {column!r}: expected {expected}, found {str(value)[:100]!r}"
    return _Unusable("wrong_type", detail)


class TextExecutor(ExampleGenExecutor):
    """Runs TextReader."""

    def make_reader(self, reader_config: str) -> tuple[TextReader, TextConfig]:
        """The reader and its settings, from a TextConfig as JSON."""
        config = TextConfig.model_validate_json(reader_config)
        return TextReader(config), config
