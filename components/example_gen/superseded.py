"""Which records of a window are out of date: a newer span has their key again."""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam

SUPERSEDED = "superseded"
_CURRENT = "current"


def part_superseded(records: beam.PCollection) -> tuple[beam.PCollection, beam.PCollection]:
    """Parts records into those of the newest span that has their key, and the others.

    All keys are grouped, but no record is; the keys that several spans have must fit into a worker's memory.

    Args:
        records: anything with a `key` and a `span` (int). Records of one span that share a key stay together.
    """
    newest = (
        records
        | "KeyAndSpan" >> beam.Map(lambda record: (record.key, record.span))
        | "SpansOfKey" >> beam.GroupByKey()
        | "NewestOfSeveral" >> beam.FlatMap(_newest_of_several)
    )
    parted = records | "Part" >> beam.ParDo(_Part(), beam.pvalue.AsDict(newest)).with_outputs(
        SUPERSEDED, main=_CURRENT
    )
    return parted[_CURRENT], parted[SUPERSEDED]


def _newest_of_several(found: tuple[str, Any]) -> Iterator[tuple[str, int]]:
    key, spans = found[0], set(found[1])
    if len(spans) > 1:
        yield key, max(spans)


class _Part(beam.DoFn):
    """Tags the records that are older than the newest span of their key."""

    def process(self, record: Any, newest: dict[str, int]) -> Iterator[Any]:
        is_old = record.span < newest.get(record.key, record.span)
        yield beam.pvalue.TaggedOutput(SUPERSEDED, record) if is_old else record
