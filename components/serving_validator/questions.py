"""What the candidate is asked: rows of the data, and texts that nobody would send on purpose."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

HOSTILE_TEXTS = (
    "",
    " \t\r\n ",
    "carcinoma " * 5_000,
    "ﬁbrin ＡＢＣ ½ e\u0301tude Å ß İ \u2011 \u00ad non\u00a0breaking",
    "Опухоль мозга · 脳腫瘍 · ورم دماغي · 뇌종양 · όγκος εγκεφάλου",
    "👩🏽‍🔬🧬🦠 results ↑ 5×10⁻³",
    "\x00\x01\x7f\u200b\ufeff\u202e",
    '{"b64": "aGk="} "quoted" \\ \\u0041 <b>&amp;</b> [CLS] [MASK] [PAD]',
)

Answer = Mapping[str, np.ndarray]  # a signature's outputs by name


class UnusableAnswer(ValueError):
    """An answer that lacks an output, or whose output has another shape than it should."""


@dataclasses.dataclass(frozen=True)
class Judgement:
    """How an answer differs from what the model says in process.

    Attributes:
        problems: for each text a sentence with the figures, or None where the answer is right.
        largest_difference: of any number that was compared; None where none was.
    """

    problems: list[str | None]
    largest_difference: float | None


@dataclasses.dataclass(frozen=True)
class Question:
    """One request, and how its answer is judged.

    Attributes:
        name: for the report, e.g. "serving_text, eval rows".
        signature: the signature that is asked.
        inputs: its inputs; see `serving.transports.Transport.ask`.
        texts: the n texts it is about.
        judge: holds the answer against the model's own; raises UnusableAnswer.
    """

    name: str
    signature: str
    inputs: Mapping[str, Sequence | np.ndarray]
    texts: Sequence[str]
    judge: Callable[[Answer], Judgement]


class Asker(Protocol):
    """Knows what a kind of model is to be asked, and its answers in process."""

    def questions(self, name: str, rows: Sequence[bytes]) -> list[Question]:
        """The questions about some rows.

        Args:
            name: of the rows, for the report.
            rows: serialized tf.train.Examples with a feature `text`.
        """


def read_rows(split_uri: str, count: int) -> list[bytes]:
    """The first rows of a split of gzipped TFRecords.

    Raises:
        ValueError: if the split has no rows.
    """
    files = sorted(tf.io.gfile.glob(f"{split_uri}/*"))
    dataset = tf.data.TFRecordDataset(files, compression_type="GZIP").take(count) if files else ()
    rows = [row.numpy() for row in dataset]
    if not rows:
        raise ValueError(f"no rows to ask the candidate with in {split_uri}")
    return rows


def hostile_rows(row: bytes) -> list[bytes]:
    """The given row with its text replaced by each of the hostile ones, and a second text by another one."""
    rows = []
    for text, other in zip(HOSTILE_TEXTS, reversed(HOSTILE_TEXTS), strict=True):
        example = tf.train.Example.FromString(row)
        features = example.features.feature
        features["text"].bytes_list.value[:] = [text.encode()]
        if "text_pair" in features:
            features["text_pair"].bytes_list.value[:] = [other.encode()]
        rows.append(example.SerializeToString())
    return rows


def text_of(row: bytes, name: str = "text") -> str:
    """A text of a serialized tf.train.Example.

    Raises:
        ValueError: if it has no single UTF-8 value of that feature.
    """
    values = tf.train.Example.FromString(row).features.feature[name].bytes_list.value
    if len(values) != 1:
        raise ValueError(f"a row has {len(values)} values of feature {name!r}, expected 1")
    return values[0].decode("utf-8")


def check_outputs(answer: Answer, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Sees to it that an answer can be compared.

    Raises:
        UnusableAnswer: an output is missing or has another shape.
    """
    for name, shape in shapes.items():
        if name not in answer:
            raise UnusableAnswer(f"the answer has no output {name!r}, only {sorted(answer)}")
        if answer[name].shape != shape:
            raise UnusableAnswer(
                f"output {name!r} has shape {answer[name].shape}, expected {shape}"
            )
