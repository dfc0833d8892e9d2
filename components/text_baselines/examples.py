"""Reads labelled texts."""

import dataclasses
from collections.abc import Sequence

from components.example_files import read_columns


@dataclasses.dataclass(frozen=True)
class LabelledTexts:
    """Examples by column."""

    keys: list[str]
    texts: list[str]
    labels: list[str]

    def __len__(self) -> int:
        return len(self.keys)


def read_texts(files: Sequence[str]) -> LabelledTexts:
    """Reads `key`, `text` and `label` of an ExampleGen's files (gzipped TFRecord), in their order."""
    names = ("key", "text", "label")
    columns: dict[str, list[str]] = {name: [] for name in names}
    for batch in read_columns(files, names):
        for name in names:
            columns[name] += [value.decode() for value in batch[name]]
    return LabelledTexts(columns["key"], columns["text"], columns["label"])
