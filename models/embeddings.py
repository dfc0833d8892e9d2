"""Position and segment vectors that are not blown up to the size of the batch."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="sciformer")
class PositionEmbedding(keras.layers.Embedding):
    """A learned vector for each position, once for all rows unless each token says where it is."""

    def call(self, tokens: Any, position_ids: Any = None) -> Any:
        """Looks positions up.

        Args:
            tokens: float [n, length, hidden], of which only the length counts.
            position_ids: int [n, length]; 0 … length - 1 in each row by default.

        Returns:
            Float [length, hidden], or [n, length, hidden] of `position_ids`.
        """
        vectors = ops.convert_to_tensor(self.embeddings)
        if position_ids is None:
            vectors = vectors[: ops.shape(tokens)[1]]
        else:
            vectors = ops.take(vectors, position_ids, axis=0)
        return ops.cast(vectors, self.compute_dtype)

    def compute_output_spec(
        self, tokens: keras.KerasTensor, position_ids: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """See `call`."""
        rows = () if position_ids is None else (tokens.shape[0],)
        return keras.KerasTensor((*rows, tokens.shape[1], self.output_dim), self.compute_dtype)


@keras.saving.register_keras_serializable(package="sciformer")
class SegmentIds(keras.layers.Layer):
    """Tells the segments of `[CLS] a [SEP] b [SEP]` from the ids: no text can forge a [SEP].

    Args:
        separator: the id of [SEP].
    """

    def __init__(self, separator: int, **others: Any):
        super().__init__(**others)
        self.separator = separator

    def call(self, token_ids: Any) -> Any:
        """Int32 [n, length] → int32 [n, length]: 0 up to the first separator and with it, then 1."""
        ends = ops.cast(ops.equal(token_ids, self.separator), "int32")
        return ops.minimum(ops.cumsum(ends, axis=1) - ends, 1)

    def compute_output_spec(self, token_ids: keras.KerasTensor) -> keras.KerasTensor:
        """See `call`."""
        return keras.KerasTensor(token_ids.shape, "int32")


@keras.saving.register_keras_serializable(package="sciformer")
class SegmentEmbedding(keras.layers.Embedding):
    """A learned vector for each segment; all tokens are in the first unless they say where they are."""

    def call(self, positions: Any, segment_ids: Any = None) -> Any:
        """Adds the segments' vectors.

        Args:
            positions: float [length, hidden] or [n, length, hidden].
            segment_ids: int [n, length]; all 0 by default.

        Returns:
            The shape of `positions`; [n, length, hidden] if there are segments.
        """
        vectors = ops.cast(ops.convert_to_tensor(self.embeddings), self.compute_dtype)
        if segment_ids is None:
            return positions + vectors[0]
        # A product with a table of two rows: its gradient is one, too, where a gather's is slow.
        segments = ops.one_hot(segment_ids, self.input_dim, dtype=self.compute_dtype)
        return positions + ops.matmul(segments, vectors)

    def compute_output_spec(
        self, positions: keras.KerasTensor, segment_ids: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """See `call`."""
        shape = positions.shape if segment_ids is None else (*segment_ids.shape, self.output_dim)
        return keras.KerasTensor(shape, self.compute_dtype)
