"""Examples that are not divided: what a model is to be asked, and where it came from."""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from components.example_gen.records import Features, Record, Rejected

SPLIT = "all"
_KEY, _TEXT, _SOURCE, _POSITION = "key", "text", "source", "position"


class Asked(NamedTuple):
    """An undivided example, read back.

    Attributes:
        key: the reader's.
        source: the file's path in the input folder.
        position: where in the file, for people.
        text: the document.
    """

    key: str
    source: str
    position: str
    text: str

    @classmethod
    def of(cls, serialized: bytes) -> "Asked":
        """Reads a serialized tf.train.Example; what it lacks is ""."""
        features = tf.train.Example.FromString(serialized).features.feature
        values = (features[name].bytes_list.value for name in (_KEY, _SOURCE, _POSITION, _TEXT))
        return cls(*(value[0].decode() if value else "" for value in values))

    def rejected(self, reason: str, detail: str) -> tuple[str, str]:
        """Reason and line of the quarantine, as the ExampleGen writes them."""
        row = Rejected(self.position, reason, f"key {self.key}: {detail}", self.text)
        return reason, row.to_json(self.source)


def unlabelled(record: Record, source: str) -> Record:
    """A record as a model is asked about it: without label and features, but with its place."""
    features: Features = {_SOURCE: [source], _POSITION: [record.position]}
    return dataclasses.replace(record, label=None, features=features)
