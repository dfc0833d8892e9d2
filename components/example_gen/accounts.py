"""Counts what a Beam pipeline has read, kept and rejected, and writes what it rejected."""

import collections
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import apache_beam as beam

from components.example_gen import quarantine

Totals = collections.Counter[tuple[str, str]]  # by (field of quarantine.Counts, split or reason)
READ = ("read", "")


class _Tally(beam.DoFn):
    """Anything -> Totals of a bundle."""

    def __init__(self, name: Callable[[Any], tuple[str, str]]):
        self._name = name

    def start_bundle(self) -> None:
        self._counts: Totals = collections.Counter()

    def process(self, element: Any) -> None:
        self._counts[self._name(element)] += 1

    def finish_bundle(self) -> Iterator[Any]:
        yield beam.transforms.window.GlobalWindows.windowed_value(self._counts)


def tally_read(read: beam.PCollection) -> beam.PCollection[Totals]:
    """Counts what is read."""
    return read | "TallyRead" >> beam.ParDo(_Tally(_read))


def write_accounts(
    read: beam.PCollection[Totals],
    kept: Mapping[str, beam.PCollection],
    rejected: beam.PCollection[tuple[str, str]],
    uri: str,
    filtered: Mapping[str, beam.PCollection] = MappingProxyType({}),
) -> None:
    """Fills a Quarantine artifact.

    What is kept is counted where it is written, and held against what was read.

    Args:
        read: totals of what was read, and of what was filtered.
        kept: what is written, by split.
        rejected: reason and JSON line (Rejected.to_json) of each quarantined row.
        uri: of the artifact.
        filtered: what was read and then left out, by reason.
    """
    _ = (
        rejected
        | "RejectedLines" >> beam.Values()
        | "WriteRejected"
        >> beam.io.WriteToText(
            os.path.join(uri, quarantine.REJECTED_PREFIX),
            file_name_suffix=quarantine.REJECTED_SUFFIX,
        )
    )
    tallies = [
        rows | f"TallyKept[{split}]" >> beam.ParDo(_Tally(functools.partial(_kept, split)))
        for split, rows in kept.items()
    ] + [
        rows | f"TallyFiltered[{why}]" >> beam.ParDo(_Tally(functools.partial(_filtered, why)))
        for why, rows in filtered.items()
    ]
    tallies.append(rejected | "TallyRejected" >> beam.ParDo(_Tally(_quarantined)))
    _ = (
        (*tallies, read)
        | "AllCounts" >> beam.Flatten()
        | "SumCounts" >> beam.CombineGlobally(_sum_counts)
        | "CheckCounts" >> beam.Map(quarantine.Counts.of, list(kept))
        | "WriteCounts" >> beam.Map(quarantine.write_counts, uri)
    )


def _read(_: Any) -> tuple[str, str]:
    return READ


def _kept(split: str, _: Any) -> tuple[str, str]:
    return "kept_by_split", split


def _filtered(reason: str, _: Any) -> tuple[str, str]:
    return "filtered_by_reason", reason


def _quarantined(row: tuple[str, str]) -> tuple[str, str]:
    return "quarantined_by_reason", row[0]


def _sum_counts(counts: Iterable[Totals]) -> Totals:
    return sum(counts, collections.Counter())
