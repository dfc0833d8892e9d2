"""Settings of the text ExampleGen."""

from typing import Literal

import pydantic

from components.example_gen.config import ExampleGenConfig
from models.config import TaskName

_OWN_FEATURES = frozenset({"key", "text", "text_pair", "label", "length_band", "span"})
_TASKS: dict[str, TaskName] = {
    "class": "single_label",
    "classes": "multi_label",
    "number": "regression",
}


class TextConfig(ExampleGenConfig):
    """Settings of the text ExampleGen.

    Attributes:
        format: of the files; told from each file's suffix if not given.
        delimiter: of a csv or tsv file, if it is neither comma nor tab.
        text_column: the column with the text, or several to be joined with a blank. Plain text
            files have the one column `text`.
        second_text_column: the column with the second text, where texts come in pairs.
        label_column: the column with the label; without it the examples carry no label.
        label_type: what a label is: a class, any number of classes (also none), or a number.
        label_separator: between the classes in one cell, ";" by default; lists (JSON, Parquet, TFRecord)
            are taken as they are.
        key_column: the column that names a record and decides its split (rows with one key share a
            split); without it the key is "<file name>:<row number>".
        columns: further features by column name, with their type. An empty number is left out.
        classes: the classes there may be; another one is quarantined.
    """

    format: Literal["csv", "tsv", "jsonl", "parquet", "text", "tfrecord"] | None = None
    delimiter: str | None = pydantic.Field(None, min_length=1, max_length=1)
    text_column: str | tuple[str, ...] = "text"
    second_text_column: str | None = None
    label_column: str | None = None
    label_type: Literal["class", "classes", "number"] = "class"
    label_separator: str | None = pydantic.Field(None, min_length=1)
    key_column: str | None = None
    columns: dict[str, Literal["bytes", "int64", "float"]] = {}
    classes: tuple[str, ...] | None = None

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> "TextConfig":
        if not self.text_columns:
            raise ValueError("text_column names no column")
        if self.classes is not None and self.label_column is None:
            raise ValueError("classes need a label_column")
        if self.label_type != "class" and self.label_column is None:
            raise ValueError(f"label_type {self.label_type} needs a label_column")
        if self.label_type == "number" and self.classes is not None:
            raise ValueError("classes are given, but label_type is number")
        if self.label_type != "classes" and self.label_separator is not None:
            raise ValueError("label_separator is for label_type: classes")
        group = self.splits.group_column
        if group is not None and group not in self.columns:
            raise ValueError(f"splits.group_column {group!r} is none of columns: add it there")
        if self.splits.test_rule is not None and self.key_column is None and group is None:
            raise ValueError("splits.test_rule needs a key_column with integers")
        if self.spans is not None and self.key_column is None:
            raise ValueError(
                "spans need a key_column: without it a row of one span cannot be told from another's"
            )
        taken = sorted(_OWN_FEATURES & set(self.columns))
        if taken:
            raise ValueError(f"columns may not hold {taken}: every example has features so named")
        return self

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns the text is made of."""
        if isinstance(self.text_column, str):
            return (self.text_column,)
        return self.text_column

    @property
    def used_columns(self) -> list[str]:
        """Every column these settings name, once."""
        named = [
            *self.text_columns,
            self.second_text_column,
            self.label_column,
            self.key_column,
            *self.columns,
        ]
        return list(dict.fromkeys(name for name in named if name is not None))

    @property
    def task(self) -> TaskName:
        """What such labels are learned as."""
        return _TASKS[self.label_type]

    @property
    def has_pairs(self) -> bool:
        """Whether texts come in pairs."""
        return self.second_text_column is not None

    @property
    def max_row_bytes(self) -> int:
        """A longer row is given up unread; JSON may spend six bytes on one character of text."""
        return 6 * self.max_text_bytes + 65_536
