"""Reads labelled texts."""

import dataclasses
from collections.abc import Sequence

from components.example_files import read_labelled
from models.config import TaskName


@dataclasses.dataclass(frozen=True)
class LabelledTexts:
    """Examples by column.

    Attributes:
        keys: of each.
        texts: of each; of a pair both, a line break between.
        labels: a class, a list of classes, or a number each.
        task: which of these.
    """

    keys: list[str]
    texts: list[str]
    labels: list
    task: TaskName = "single_label"

    def __len__(self) -> int:
        return len(self.keys)


def read_texts(files: Sequence[str], task: TaskName = "single_label") -> LabelledTexts:
    """Reads an ExampleGen's files (gzipped TFRecord), in their order.

    Args:
        files: paths.
        task: what the labels are.
    """
    columns: dict[str, list] = {"key": [], "text": [], "label": []}
    for batch in read_labelled(files, task):
        for name, values in batch.items():
            columns[name] += values
    return LabelledTexts(columns["key"], columns["text"], columns["label"], task)
