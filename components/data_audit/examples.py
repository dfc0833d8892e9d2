"""What the audit keeps of the examples."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from components.near_duplicates.config import NearDuplicateConfig
from components.near_duplicates.sketches import Sketches, sketch

_EXCERPT = 200  # characters


@dataclasses.dataclass(frozen=True, eq=False)
class AuditedExamples:
    """Examples without their texts.

    Attributes:
        keys: str [n].
        splits: str [n].
        labels: str [n], "" without labels.
        excerpts: str [n], how the texts begin.
        sketches: of the texts.
    """

    keys: np.ndarray
    splits: np.ndarray
    labels: np.ndarray
    excerpts: np.ndarray
    sketches: Sketches

    @classmethod
    def of(
        cls,
        split: str,
        keys: Sequence[str],
        labels: Sequence[str],
        texts: Sequence[str],
        config: NearDuplicateConfig,
    ) -> "AuditedExamples":
        """Some examples of one split, at least one."""
        return cls(
            np.array(keys, object),
            np.full(len(keys), split, object),
            np.array(labels, object),
            np.array([text[:_EXCERPT] for text in texts], object),
            sketch(texts, config),
        )

    @classmethod
    def joined(cls, parts: Sequence["AuditedExamples"]) -> "AuditedExamples":
        """All examples of at least one part."""
        names = ("keys", "splits", "labels", "excerpts")
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return cls(**columns, sketches=Sketches.joined([part.sketches for part in parts]))

    def __len__(self) -> int:
        return len(self.keys)
