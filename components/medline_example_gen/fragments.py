"""Cuts a PubMed XML stream into its records without parsing it.

One XML parser over the whole file stops at the first malformed entity, or in recovery mode goes on
with text lost and tags moved. Cutting first keeps every other record whole, says which one is bad,
and holds one record in memory. As the document type declaration never reaches the parser, neither
do its entities.
"""

import dataclasses
import re
from collections.abc import Iterator

from components.example_gen.files import ByteStream

_OPENING = re.compile(rb"<(PubmedArticle|PubmedBookArticle|DeleteCitation)(?=[\s>])")
_LONGEST_OPENING = len(b"<PubmedBookArticle>")
_ROOT_END = b"</PubmedArticleSet>"
_BETWEEN_RECORDS = re.compile(
    rb"\xef\xbb\xbf|<!--.*?-->|<\?.*?\?>|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>|</?PubmedArticleSet\b[^>]*>",
    re.DOTALL,
)
_CHUNK_BYTES = 1 << 16


@dataclasses.dataclass(frozen=True)
class Fragment:
    """A piece of the file.

    Attributes:
        line: the line it begins on, from 1.
        kind: "PubmedArticle", "PubmedBookArticle" or "DeleteCitation" for a whole record; "stray"
            for what belongs to no record, "unclosed" for a record without its end, "oversized" for
            one over the limit, "truncated" for what is left where the file stops short.
        content: the bytes; the limit's worth of an oversized one.
    """

    line: int
    kind: str
    content: bytes


def cut(stream: ByteStream, max_bytes: int) -> Iterator[Fragment]:
    """Yields the pieces of one `PubmedArticleSet`, in order.

    Args:
        stream: the XML, UTF-8. Errors of reading pass through.
        max_bytes: a longer record is given up; never much more than this is held.
    """
    return _Cutter(stream, max_bytes).fragments()


class _Cutter:
    def __init__(self, stream: ByteStream, max_bytes: int):
        self._stream = stream
        self._max_bytes = max_bytes
        self._buffer = b""
        self._line = 1
        self._skipping = False

    def fragments(self) -> Iterator[Fragment]:
        while True:
            line = self._line
            gap, at_record = self._gap()
            unknown = b"" if self._skipping else _BETWEEN_RECORDS.sub(b"", gap).strip()
            if not at_record and self._ended() and _ROOT_END not in gap:
                yield Fragment(line, "truncated", unknown)
                return
            if unknown:
                before = gap[: gap.find(unknown[:20])]
                yield Fragment(line + before.count(b"\n"), "stray", unknown)
            if at_record:
                self._skipping = False
                record = self._record()
                yield record
                if record.kind == "truncated":
                    return
            elif self._ended():
                return

    def _gap(self) -> tuple[bytes, bool]:
        """Takes what lies before the next record, and says whether there is one."""
        gap = bytearray()
        while len(gap) < self._max_bytes:
            opening = _OPENING.search(self._buffer)
            if opening:
                gap += self._take(opening.start())
                return bytes(gap), True
            gap += self._take(max(0, len(self._buffer) - _LONGEST_OPENING))
            if not self._read_more():
                gap += self._take(len(self._buffer))
                break
        return bytes(gap), False

    def _record(self) -> Fragment:
        """Takes the record that the buffer begins with."""
        line, opening = self._line, _OPENING.match(self._buffer)
        assert opening, "_gap stops at a record"
        kind = opening[1].decode()
        end_tag = b"</" + opening[1] + b">"
        end, searched = -1, 0
        while (end := self._buffer.find(end_tag, searched)) < 0:
            if len(self._buffer) > self._max_bytes:
                self._skipping = True
                return Fragment(line, "oversized", self._take(self._max_bytes))
            searched = max(0, len(self._buffer) - len(end_tag))
            if not self._read_more():
                break
        limit = end if end >= 0 else len(self._buffer)
        next_opening = _OPENING.search(self._buffer, opening.end(), limit)
        if next_opening:
            return Fragment(line, "unclosed", self._take(next_opening.start()))
        if end < 0:
            return Fragment(line, "truncated", self._take(len(self._buffer)))
        return Fragment(line, kind, self._take(end + len(end_tag)))

    def _read_more(self) -> bool:
        chunk = self._stream.read1(_CHUNK_BYTES)  # `read` would lose data before an error
        self._buffer += chunk
        return bool(chunk)

    def _ended(self) -> bool:
        return not self._buffer and not self._read_more()

    def _take(self, length: int) -> bytes:
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        self._line += taken.count(b"\n")
        return taken
