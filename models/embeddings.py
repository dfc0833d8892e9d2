"""Position and segment vectors that are not blown up to the size of the batch."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="sciformer")
class PositionEmbedding(keras.layers.Embedding):
    """A learned vector for each position, once for all rows."""

    def call(self, tokens: Any) -> Any:
        """Float [n, length, hidden], of which only the length counts → float [length, hidden]."""
        vectors = ops.convert_to_tensor(self.embeddings)[: ops.shape(tokens)[1]]
        return ops.cast(vectors, self.compute_dtype)

    def compute_output_spec(self, tokens: keras.KerasTensor) -> keras.KerasTensor:
        """See `call`."""
        return keras.KerasTensor((tokens.shape[1], self.output_dim), self.compute_dtype)


@keras.saving.register_keras_serializable(package="sciformer")
class SegmentEmbedding(keras.layers.Embedding):
    """A learned vector for each segment, of which all tokens here are in the first."""

    def call(self, positions: Any) -> Any:
        """Adds the first segment's vector to float [length, hidden]."""
        return positions + ops.cast(ops.convert_to_tensor(self.embeddings)[0], self.compute_dtype)

    def compute_output_spec(self, positions: keras.KerasTensor) -> keras.KerasTensor:
        """See `call`."""
        return keras.KerasTensor(positions.shape, self.compute_dtype)
