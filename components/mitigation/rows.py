"""What is done to a file of training examples."""

from collections import Counter
from collections.abc import Iterator, Mapping

import tensorflow as tf

from components.evaluator.fairness.config import AttributeConfig
from components.evaluator.fairness.groups import Groups
from components.evaluator.fairness.swapping import Swapper
from components.mitigation.config import MitigationConfig
from components.mitigation.weights import Cell
from models.examples import EXAMPLE_WEIGHT

COPY = "#swapped"  # ends the key of a copy
_TEXTS = {"text", "text_pair"}


class Mitigator:
    """Reads training examples as they shall be learned from.

    Args:
        config: what is done.
        attribute: the rule of the groups.
    """

    def __init__(self, config: MitigationConfig, attribute: AttributeConfig):
        self._groups = Groups(attribute)
        self._feature = attribute.feature
        self._swap = Swapper(attribute) if config.augment else None

    def count(self, path: str) -> Counter[Cell]:
        """Examples of a gzipped TFRecord file by group and label, copies included."""
        return Counter(self._cell(example) for example in self._examples(path))

    def rows(self, path: str, weights: Mapping[Cell, float]) -> Iterator[bytes]:
        """The file's examples in their order, each followed by its copy, if it gets one.

        Args:
            path: of a gzipped TFRecord file of tf.train.Example.
            weights: by cell; 1 where there is none.
        """
        for example in self._examples(path):
            weight = weights.get(self._cell(example), 1.0)
            example.features.feature[EXAMPLE_WEIGHT].float_list.value.append(weight)
            yield example.SerializeToString(deterministic=True)

    def _examples(self, path: str) -> Iterator[tf.train.Example]:
        records = tf.data.TFRecordDataset(path, compression_type="GZIP")
        for serialized in records.as_numpy_iterator():
            example = tf.train.Example.FromString(serialized)
            yield example
            if (copy := self._copy(serialized)) is not None:
                yield copy

    def _copy(self, serialized: bytes) -> tf.train.Example | None:
        """The example with swapped words; None if it has none, or none are swapped."""
        if self._swap is None:
            return None
        copy = tf.train.Example.FromString(serialized)
        texts = {name: _string(copy, name) for name in _TEXTS}
        swapped = {name: self._swap(text) for name, text in texts.items()}
        if swapped == texts:
            return None
        for name, text in swapped.items():
            if text:
                _replace(copy, name, text)
        _replace(copy, "key", _string(copy, "key") + COPY)
        return copy

    def _cell(self, example: tf.train.Example) -> Cell:
        features = {self._feature: _string(example, self._feature)} if self._feature else {}
        text = "\n".join(_string(example, name) for name in sorted(_TEXTS))
        return self._groups.of(text, features), _string(example, "label")


def _string(example: tf.train.Example, name: str) -> str:
    """A feature's first value as a string, "" if there is none."""
    feature = example.features.feature.get(name)
    values = getattr(feature, feature.WhichOneof("kind") or "bytes_list").value if feature else []
    if not values:
        return ""
    return values[0].decode() if isinstance(values[0], bytes) else f"{values[0]}"


def _replace(example: tf.train.Example, name: str, value: str) -> None:
    example.features.feature[name].bytes_list.value[:] = [value.encode()]
