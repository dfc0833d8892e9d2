"""What a model said of the test examples."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.evaluator.verdict import PREDICTIONS_FILE, TaskName

_FEATURE = "feature:"


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
        features: raw features of the examples by name, str [n] each, "" where missing.
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
            "key": pa.array(self.keys),
            "text": pa.array(self.texts),
            "label": pa.array(self.labels.tolist()),
            "scores": pa.array(self.scores.tolist()),
            **{_FEATURE + name: pa.array(values) for name, values in self.features.items()},
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
        strings = {name: np.array(table[name].to_pylist(), object) for name in ("key", "text")}
        return cls(
            task=metadata[b"task"].decode(),
            classes=tuple(metadata[b"classes"].decode().split("\n")),
            keys=strings["key"],
            texts=strings["text"],
            labels=np.array(table["label"].to_pylist()),
            scores=np.array(table["scores"].to_pylist()),
            features={
                name.removeprefix(_FEATURE): np.array(table[name].to_pylist(), object)
                for name in table.column_names
                if name.startswith(_FEATURE)
            },
        )
