"""What the candidate is asked: rows of the data, and texts that nobody would send on purpose."""

import dataclasses
from collections.abc import Sequence

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


@dataclasses.dataclass(frozen=True)
class Questions:
    """The same n texts in both forms that the signatures take.

    Attributes:
        texts: for `serving_text`.
        examples: serialized tf.train.Examples, for `serving_default`.
    """

    texts: list[str]
    examples: list[bytes]


def from_rows(rows: Sequence[bytes]) -> Questions:
    """The texts of serialized tf.train.Examples, and the Examples as they are.

    Raises:
        ValueError: if a row has no single UTF-8 value of feature `text`.
    """
    return Questions([_text(row) for row in rows], list(rows))


def hostile(row: bytes) -> Questions:
    """The hostile texts; as Examples, the given row with its text replaced."""
    examples = []
    for text in HOSTILE_TEXTS:
        example = tf.train.Example.FromString(row)
        example.features.feature["text"].bytes_list.value[:] = [text.encode()]
        examples.append(example.SerializeToString())
    return Questions(list(HOSTILE_TEXTS), examples)


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


def _text(row: bytes) -> str:
    values = tf.train.Example.FromString(row).features.feature["text"].bytes_list.value
    if len(values) != 1:
        raise ValueError(f"a row has {len(values)} values of feature 'text', expected 1")
    return values[0].decode("utf-8")
