"""What the audit found: `audit.json` of the audit artifact."""

import os
from typing import Literal

from tfx.dsl.io import fileio

from components.artifact_file import write_artifact_file
from components.near_duplicates.config import NearDuplicateConfig
from models.config import Config

AUDIT_FILE = "audit.json"


class Pair(Config):
    """Two examples whose texts are equal or nearly so.

    Attributes:
        keys: of both.
        splits: likewise.
        labels: likewise; "" without labels.
        excerpts: how the texts begin.
        similarity: Jaccard of their shingles; 1 if they are equal.
        is_exact: whether the normalised texts are equal.
    """

    keys: tuple[str, str]
    splits: tuple[str, str]
    labels: tuple[str, str]
    excerpts: tuple[str, str]
    similarity: float
    is_exact: bool


class Overlap(Config):
    """How many examples of one split have duplicates in another, or other ones in the same.

    Attributes:
        split: whose examples are counted.
        other: where their duplicates are.
        examples: of `split`.
        exact: those with an equal text in `other`.
        duplicated: those with an equal or nearly equal one.
        share: `duplicated` of `examples`; 0 of none.
    """

    split: str
    other: str
    examples: int
    exact: int
    duplicated: int
    share: float


class PretrainingOverlap(Config):
    """Whether the encoder has seen test examples.

    Attributes:
        source: what the answer rests on; see components.data_audit.config.Pretraining.
        test_examples: how many keys were looked up; 0 if nothing could be.
        present: test examples whose key is in the pretraining data; with the source "provenance": whose key
            was not held out, so that it may be.
        share: `present` of `test_examples`; 0 of none.
        keys: of them, at most 20.
    """

    source: Literal["none", "unknown", "keys", "examples", "provenance"]
    test_examples: int
    present: int
    share: float
    keys: tuple[str, ...]


class Audit(Config):
    """All that was found.

    Attributes:
        examples: number by split.
        near_duplicates: what was taken for a near duplicate.
        distinct_texts: how many normalised texts differ.
        near_duplicate_pairs: of distinct texts.
        overlaps: for every split with itself and each other.
        label_conflicts: examples that have a duplicate with another label.
        label_conflict_share: of all examples.
        cluster_sizes: number of clusters by their number of examples; a cluster is all that is joined by
            duplicates, directly or through others, and has two examples or more.
        pairs: the worst, at most 20: test with train before other splits, before the same split; those with
            different labels before others; then the most similar.
        conflicts: the worst pairs with different labels, in the same order, at most 20.
        passed_over: candidate pairs that were not compared because too many texts were alike; if not 0, the
            counts of near duplicates may be too low.
        pretraining: test examples in the pretraining data.
        warnings: the above for people, a sentence each; empty if there is nothing to tell.
    """

    examples: dict[str, int]
    near_duplicates: NearDuplicateConfig
    distinct_texts: int
    near_duplicate_pairs: int
    overlaps: tuple[Overlap, ...]
    label_conflicts: int
    label_conflict_share: float
    cluster_sizes: dict[int, int]
    pairs: tuple[Pair, ...]
    conflicts: tuple[Pair, ...]
    passed_over: int
    pretraining: PretrainingOverlap
    warnings: tuple[str, ...] = ()

    def overlap(self, split: str, other: str) -> Overlap:
        """The overlap of two splits.

        Raises:
            KeyError: there is no such split.
        """
        for overlap in self.overlaps:
            if (overlap.split, overlap.other) == (split, other):
                return overlap
        raise KeyError((split, other))

    def write(self, uri: str) -> None:
        """Writes `audit.json` into the artifact's folder, whole or not at all."""
        write_artifact_file(os.path.join(uri, AUDIT_FILE), self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, uri: str) -> "Audit":
        """Reads what `write` wrote."""
        with fileio.open(os.path.join(uri, AUDIT_FILE)) as file:
            return cls.model_validate_json(file.read())
