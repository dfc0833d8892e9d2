"""Texts with a topic, in the official splits: 20 Newsgroups and Reuters-21578's R8 and R52.

The texts are those of A. Cardoso-Cachopo's collection: lowercase a to z and single blanks, as in Text8. R8 is
a part of R52, so a model that has read the one has read the other.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from models.config import Config

Collection = Literal["20newsgroups", "reuters-r8", "reuters-r52"]
_HEADER_LINES = 3  # names, types, roles: what Orange writes
_OFFICIAL_SPLITS = ("test", "train")


class TopicTextSettings(Config):
    """Which collections to write."""

    collections: tuple[Collection, ...]


def write_topic_texts(source: Path, target: Path, settings: TopicTextSettings) -> None:
    """Writes `texts.jsonl` into the folder `target` from COLLECTION-train.tab and COLLECTION-test.tab.

    One JSON object a line: number (int), text, label, collection, split (the official one, train or test).
    Numbers of test texts are even, of train texts odd, which is a `test_rule` of every ExampleGen: modulus
    2, remainder 0. Blank records are left out.

    Raises:
        ValueError: a line is no record of label and text.
    """
    following = {"test": 0, "train": 1}
    with (target / "texts.jsonl").open("w", encoding="utf-8", newline="\n") as lines:
        for collection in settings.collections:
            for split in _OFFICIAL_SPLITS:
                for label, text in _records(source / f"{collection}-{split}.tab"):
                    record = {
                        "number": following[split],
                        "text": text,
                        "label": label,
                        "collection": collection,
                        "split": split,
                    }
                    following[split] += 2
                    lines.write(json.dumps(record) + "\n")


def _records(path: Path) -> Iterator[tuple[str, str]]:
    """Label and text of each line, not quoted, with a tab between."""
    with path.open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, start=1):
            if number <= _HEADER_LINES or not line.strip():
                continue
            fields = line.rstrip("\n").split("\t")
            if len(fields) != 2 or not all(field.strip() for field in fields):
                raise ValueError(f"{path}, line {number}: expected a label, a tab and a text")
            yield fields[0], fields[1].strip()
