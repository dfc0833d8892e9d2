"""What a reader makes of each thing it finds in a file: a record, a rejection, a filtered one."""

import abc
import dataclasses
import json
from collections.abc import Iterator, Sequence

import tensorflow as tf

Features = dict[str, Sequence[str] | Sequence[int] | Sequence[float]]

_EXCERPT_CHARACTERS = 200
_LENGTH_BANDS = ((50, "0-49"), (100, "50-99"), (200, "100-199"), (400, "200-399"))


class InputError(ValueError):
    """The settings do not fit the input: the user has to change one of them."""


@dataclasses.dataclass(frozen=True)
class Record:
    """A usable document.

    Attributes:
        position: where in the file, for people ("row 12, line 15").
        key: names the record; decides its split.
        text: the document.
        label: its class, its classes (perhaps none) or its number; None where the data has no labels.
        features: raw features beside those, by name.
        pair: the second document, where they come in pairs.
    """

    position: str
    key: str
    text: str
    label: str | Sequence[str] | float | None
    features: Features
    pair: str | None = None

    @property
    def texts(self) -> list[str]:
        """The document, or both of a pair."""
        return [self.text] if self.pair is None else [self.text, self.pair]


@dataclasses.dataclass(frozen=True)
class Rejected:
    """Something that cannot be used; it goes to quarantine."""

    position: str
    reason: str
    detail: str
    excerpt: str = ""

    def to_json(self, source: str) -> str:
        """One line of the quarantine file; never holds a character that UTF-8 cannot."""
        fields = {"source": source, **dataclasses.asdict(self)}
        fields["excerpt"] = self.excerpt[:_EXCERPT_CHARACTERS]
        readable = {name: _readable(value) for name, value in fields.items()}
        return json.dumps(readable, ensure_ascii=False)


@dataclasses.dataclass(frozen=True)
class Filtered:
    """A sound record that the settings do not ask for."""

    reason: str


Outcome = Record | Rejected | Filtered


class Reader(abc.ABC):
    """Reads one kind of file. Beam pickles readers and sends them to its workers."""

    @abc.abstractmethod
    def read(self, path: str) -> Iterator[Outcome]:
        """Yields one outcome for each record of the file, in order, holding one at a time.

        Errors of decompression may be raised: the executor turns them into a rejection.
        """

    def check(self, paths: Sequence[str]) -> None:
        """Looks at the files before any work.

        Raises:
            InputError: the settings do not fit a file.
        """
        del paths  # most formats promise nothing that could be checked


def length_band(text: str) -> str:
    """The band of a text's length in words, for slices: "0-49" … "400+"."""
    words = len(text.split())
    return next((name for limit, name in _LENGTH_BANDS if words < limit), "400+")


def serialize(record: Record) -> bytes:
    """The record as a serialized tf.train.Example, the same bytes for the same record.

    Raises:
        UnicodeEncodeError: a string holds a lone surrogate.
    """
    features: Features = {
        **record.features,
        "key": [record.key],
        "text": [record.text],
        "length_band": [length_band(" ".join(record.texts))],
    }
    if record.pair is not None:
        features["text_pair"] = [record.pair]
    if record.label is not None:
        features["label"] = _values(record.label)
    example = tf.train.Example()
    for name, values in features.items():
        feature = example.features.feature[name]
        if values and isinstance(values[0], int):
            feature.int64_list.value.extend(values)
        elif values and isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.bytes_list.value.extend(str(value).encode() for value in values)
    return example.SerializeToString(deterministic=True)


def _values(label: str | Sequence[str] | float) -> Sequence[str] | Sequence[float]:
    if isinstance(label, str):
        return [label]
    return [label] if isinstance(label, float) else label


def _readable(text: str) -> str:
    r"""Lone surrogates (a byte that was no UTF-8 reads as one, PEP 383) spelled out: `\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode()
