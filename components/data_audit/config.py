"""Settings of the DataAudit, and what it is told of the encoder's pretraining."""

import dataclasses
from typing import Literal

import pydantic

from models.config import Config


class AuditConfig(Config):
    """Limits that stop the line. Without one the audit warns and the line goes on.

    What near duplicates are, `splits.near_duplicates` of the data says.

    Attributes:
        max_cross_split_duplicates: the most test examples with an exact or near duplicate in train, as a
            share.
        max_label_conflicts: the most examples with an exact or near duplicate of another label, as a share
            of all.
        forbid_pretraining_overlap: stop if a test example is in the encoder's pretraining data, or if nothing
            is known of that data. Of an encoder pretrained in several stages the last one is meant.
        pretraining_keys: path of a file with the keys of all documents that the encoder was pretrained on,
            one a line, gzipped if it ends in .gz; not needed for `model.pretrained` and for random weights.
    """

    max_cross_split_duplicates: float | None = pydantic.Field(default=None, ge=0, le=1)
    max_label_conflicts: float | None = pydantic.Field(default=None, ge=0, le=1)
    forbid_pretraining_overlap: bool = False
    pretraining_keys: str | None = None


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """What is known of the documents that the encoder was pretrained on.

    Attributes:
        source: "none", there was no pretraining; "unknown", nothing is known; or `path` is a "keys" file (a
            key a line), the "examples" of a PretrainExampleGen, whose rows name their documents, or a
            "provenance" file, which says what was held out.
        path: of the source.
        fingerprint: of the file's content; an artifact needs none.
    """

    source: Literal["none", "unknown", "keys", "examples", "provenance"] = "unknown"
    path: str | None = None
    fingerprint: str | None = None
