"""What the readers of the single formats have in common."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from components.example_gen.files import ByteStream


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a file.

    Attributes:
        number: counted from 1, without a header; rows that could not be read count too.
        position: where it is, for people.
        values: by column name: str, bytes (UTF-8), int, float, bool, None, or a list of those.
    """

    number: int
    position: str
    values: dict[str, Any]


def lines(stream: ByteStream, max_bytes: int) -> Iterator[bytes | None]:
    """Yields each line without its end; None for one longer than `max_bytes`, which is skipped."""
    while line := stream.readline(max_bytes + 2):
        if len(line.rstrip(b"\r\n")) <= max_bytes:
            yield line.rstrip(b"\r\n")
            continue
        while not line.endswith(b"\n") and (line := stream.readline(1 << 16)):
            pass
        yield None
