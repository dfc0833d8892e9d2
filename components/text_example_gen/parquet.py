"""Rows of Parquet files, a batch in memory at a time."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from components.example_gen.files import open_bytes
from components.example_gen.records import Rejected
from components.text_example_gen.config import TextConfig
from components.text_example_gen.rows import Row

_BATCH_ROWS = 256
_DAMAGE = (pa.ArrowException, OSError)


def columns(path: str, config: TextConfig) -> list[str] | None:
    """The schema's names; None where the file is damaged."""
    with open_bytes(path) as stream:
        try:
            return pq.ParquetFile(stream).schema_arrow.names
        except _DAMAGE:
            return None


def rows(path: str, config: TextConfig) -> Iterator[Row | Rejected]:
    """Yields the rows; a row group that can't be read is one rejection."""
    with open_bytes(path) as stream:
        try:
            table = pq.ParquetFile(stream)
        except _DAMAGE as error:
            yield Rejected("start of file", "unreadable_parquet", str(error))
            return
        first = 1
        for group in range(table.num_row_groups):
            length = table.metadata.row_group(group).num_rows
            yield from _group_rows(table, group, first, length, config)
            first += length


def _group_rows(
    table: pq.ParquetFile, group: int, first: int, length: int, config: TextConfig
) -> Iterator[Row | Rejected]:
    number = first
    try:
        for batch in table.iter_batches(_BATCH_ROWS, [group], columns=config.used_columns):
            values = [_python_values(column) for column in batch.columns]
            for row in zip(*values, strict=True):
                yield Row(number, f"row {number}", dict(zip(batch.schema.names, row, strict=True)))
                number += 1
    except (*_DAMAGE, ValueError, OverflowError) as error:  # the last two: no such Python value
        lost = f"rows {number} to {first + length - 1} of row group {group} are lost"
        yield Rejected(f"row {number}", "unreadable_parquet", f"{lost}: {error}")


def _python_values(column: pa.Array) -> list:
    """Python values, strings as undecoded bytes: Arrow does not check that they are UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type):
        column = column.cast(pa.binary())
    elif pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    elif pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type):
        column = column.cast(pa.list_(pa.binary()))
    return column.to_pylist()
