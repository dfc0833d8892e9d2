"""The quarantine artifact: rows that could not be used, and the counts of all that was read."""

import os
from collections.abc import Iterator, Mapping

import pydantic
from tfx.dsl.io import fileio
from tfx.types import artifact

from components.artifact_file import write_artifact_file
from models.config import Config

REJECTED_PREFIX = "rejected"
REJECTED_SUFFIX = ".jsonl"
_COUNTS_FILE = "counts.json"


class Quarantine(artifact.Artifact):
    """Folder with `rejected-*.jsonl` (one Rejected a line) and `counts.json` (Counts)."""

    # One dot and no PROPERTIES: what Kubeflow Pipelines v2 accepts and can import again.
    TYPE_NAME = "components.Quarantine"


class Counts(Config):
    """How many records were read and what became of them.

    Raises:
        pydantic.ValidationError: the numbers do not add up, so records were lost or doubled.
    """

    read: int
    kept: int
    quarantined: int
    filtered: int
    kept_by_split: dict[str, int]
    quarantined_by_reason: dict[str, int]
    filtered_by_reason: dict[str, int]

    @pydantic.model_validator(mode="after")
    def _adds_up(self) -> "Counts":
        sums = {
            "read": self.kept + self.quarantined + self.filtered,
            "kept": sum(self.kept_by_split.values()),
            "quarantined": sum(self.quarantined_by_reason.values()),
            "filtered": sum(self.filtered_by_reason.values()),
        }
        for name, total in sums.items():
            if getattr(self, name) != total:
                raise ValueError(f"{name} is {getattr(self, name)}, but its parts give {total}")
        return self

    @classmethod
    def of(cls, totals: Mapping[tuple[str, str], int], splits: list[str]) -> "Counts":
        """Composes the counts from totals by (field name, split or reason)."""

        def part(field: str) -> dict[str, int]:
            return {name: n for (kind, name), n in sorted(totals.items()) if kind == field}

        kept = dict.fromkeys(splits, 0) | part("kept_by_split")
        quarantined, filtered = part("quarantined_by_reason"), part("filtered_by_reason")
        return cls(
            read=totals.get(("read", ""), 0),
            kept=sum(kept.values()),
            quarantined=sum(quarantined.values()),
            filtered=sum(filtered.values()),
            kept_by_split=kept,
            quarantined_by_reason=quarantined,
            filtered_by_reason=filtered,
        )


def write_counts(counts: Counts, uri: str) -> None:
    """Writes `counts.json` into the artifact's folder, whole or not at all."""
    write_artifact_file(os.path.join(uri, _COUNTS_FILE), counts.model_dump_json(indent=2) + "\n")


def read_counts(uri: str) -> Counts:
    """Reads an artifact's `counts.json`.

    Raises:
        pydantic.ValidationError: the file does not hold counts that add up.
    """
    with fileio.open(os.path.join(uri, _COUNTS_FILE)) as file:
        return Counts.model_validate_json(file.read())


def rejected_lines(uri: str) -> Iterator[str]:
    """Yields the artifact's quarantined rows, JSON objects, one at a time."""
    for path in sorted(fileio.glob(os.path.join(uri, f"{REJECTED_PREFIX}-*{REJECTED_SUFFIX}"))):
        with fileio.open(path) as file:
            yield from (line.rstrip("\n") for line in file)
