"""What a model said of the test examples."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.evaluator.verdict import PREDICTIONS_FILE
from models.config import TaskName

VALUE_SEPARATOR = "\n"  # between the values of a feature that has several
TEXT_PAIR = "text_pair"  # among the features: the second text of each, where they come in pairs
_FEATURE = "feature:"
_LABEL_TYPES = {"single_label": int, "multi_label": bool, "regression": float}


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Examples in the order of their keys, with what was asked and what was answered.

    Attributes:
        task: kind of the answers.
        classes: names of the columns of `scores`; of a regression one name.
        keys: str [n].
        texts: str [n].
        labels: int [n] class ids (single_label; -1: a label that was not trained on), bool [n, classes]
            (multi_label), float [n] (regression).
        scores: float [n, classes] probabilities (classification), float [n, 1] values (regression).
        features: raw features of the examples by name, str [n] each, "" where missing; several values are
            separated by a newline.
    """

    task: TaskName
    classes: tuple[str, ...]
    keys: np.ndarray
    texts: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    features: dict[str, np.ndarray]

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.keys)

    @property
    def full_texts(self) -> np.ndarray:
        """Str [n], all that the model read: the text, or both of a pair with a line break between."""
        pairs = self.pairs
        return self.texts if pairs is None else self.texts + "\n" + pairs

    @property
    def pairs(self) -> np.ndarray | None:
        """Str [n], the second texts, if there are some."""
        return self.features.get(TEXT_PAIR)

    def where(self, chosen: np.ndarray) -> "Predictions":
        """The examples at the True places of bool [n], or at int indices."""
        return dataclasses.replace(
            self,
            keys=self.keys[chosen],
            texts=self.texts[chosen],
            labels=self.labels[chosen],
            scores=self.scores[chosen],
            features={name: values[chosen] for name, values in self.features.items()},
        )

    def write(self, folder: str | Path) -> None:
        """Writes `predictions.parquet`, whole or not at all."""
        columns = {
            "key": pa.array(self.keys, pa.string()),
            "text": pa.array(self.texts, pa.string()),
            "label": pa.array(self.labels.tolist(), _label_type(self.task)),
            "scores": pa.array(self.scores.tolist(), pa.list_(pa.float64())),
            **{
                _FEATURE + name: pa.array(values, pa.string())
                for name, values in self.features.items()
            },
        }
        metadata = {"task": self.task, "classes": "\n".join(self.classes)}
        part = Path(folder, PREDICTIONS_FILE + ".part")
        pq.write_table(pa.table(columns).replace_schema_metadata(metadata), part)
        part.rename(Path(folder, PREDICTIONS_FILE))

    @classmethod
    def read(cls, folder: str | Path) -> "Predictions":
        """Reads what `write` wrote."""
        table = pq.read_table(Path(folder, PREDICTIONS_FILE))
        metadata = table.schema.metadata
        task = metadata[b"task"].decode()
        names = metadata[b"classes"].decode()
        classes = tuple(names.split("\n")) if names else ()
        rows = len(table)
        labels: np.ndarray = np.array(table["label"].to_pylist(), _LABEL_TYPES[task])
        columns = {
            name: np.array(table[name].to_pylist(), object)
            for name in table.column_names
            if name not in ("label", "scores")
        }
        return cls(
            task=task,
            classes=classes,
            keys=columns.pop("key"),
            texts=columns.pop("text"),
            labels=labels.reshape(rows, len(classes)) if task == "multi_label" else labels,
            scores=np.array(table["scores"].to_pylist(), float).reshape(rows, len(classes)),
            features={name.removeprefix(_FEATURE): values for name, values in columns.items()},
        )


def label_array(task: TaskName, labels: Sequence, classes: Sequence[str]) -> np.ndarray:
    """Labels as `Predictions.labels` holds them.

    Args:
        task: what they are.
        labels: of each example a class, classes, or a number.
        classes: the columns' names; of labels that are not among them, an example has none.
    """
    if task == "regression":
        return np.array(labels, float)
    ids = {name: class_id for class_id, name in enumerate(classes)}
    if task == "single_label":
        return np.array([ids.get(label, -1) for label in labels], np.int64)
    found = np.zeros((len(labels), len(classes)), bool)
    for row, names in enumerate(labels):
        found[row, [ids[name] for name in names if name in ids]] = True
    return found


def _label_type(task: TaskName) -> pa.DataType:
    kinds = {
        "single_label": pa.int64(),
        "multi_label": pa.list_(pa.bool_()),
        "regression": pa.float64(),
    }
    return kinds[task]
