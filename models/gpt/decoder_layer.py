"""A GPT-2 decoder layer, with a cache for generation."""

from typing import Any

import keras
from keras import ops

from models.transformer_layer import TransformerLayer

LAYER_NORM_EPSILON = 1e-5  # GPT-2's
_WRITERS = ("attention_output", "feedforward_output")  # into the residual stream


@keras.saving.register_keras_serializable(package="sciformer")
class DecoderLayer(TransformerLayer):
    """Self-attention and a feed-forward network, each with a norm before it and a residual around it
    (Radford et al. 2019, section 2.3).

    The same function as keras_hub.layers.TransformerDecoder with `normalize_first=True` and no encoder.
    keras-hub's was not taken for two reasons: its cache wants `ops.slice_update`, an XLA operation that model
    servers may lack, and it trains at 0.9 of the speed on a CPU (4 layers of 256, rows of 256, dropout).

    Args:
        intermediate_dim: width of the feed-forward network.
        num_heads: attention heads; divides the hidden size.
        dropout: rate after both parts and on the attention probabilities.
        initializer_stddev: of the kernels that read the residual stream.
        residual_stddev: of the kernels that write into it.
    """

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float,
        initializer_stddev: float,
        residual_stddev: float,
        **kwargs: Any,
    ):
        super().__init__(intermediate_dim, num_heads, dropout, LAYER_NORM_EPSILON, "tanh", **kwargs)
        self.initializer_stddev = initializer_stddev
        self.residual_stddev = residual_stddev

    def call(self, hidden_states: Any, attention_bias: Any, training: bool = False) -> Any:
        """One layer over whole rows.

        Args:
            hidden_states: float [n, length, hidden].
            attention_bias: float [n, 1, length, length], added to the scores of (query, key): 0, or very
                low where the query must not see the key.
            training: whether to drop.

        Returns:
            float [n, length, hidden].
        """
        shape = ops.shape(hidden_states)
        x = ops.reshape(hidden_states, (-1, hidden_states.shape[-1]))
        query, key, value = self.heads(self.attention_layer_norm(x), *shape[:2])
        x = self._finish(x, query, key, value, attention_bias, training)
        return ops.reshape(x, shape)

    def extend(
        self, hidden_states: Any, attention_bias: Any, keys: Any, values: Any, start: Any
    ) -> tuple[Any, Any, Any]:
        """One layer over a part of each row, whose earlier tokens are in a cache.

        Args:
            hidden_states: float [n, length, hidden] of the part.
            attention_bias: float [n, 1, length, total], as in `call`, over all of the cache.
            keys: float [n, heads, total, size] of the tokens so far.
            values: the same.
            start: int scalar; the part's place in the cache.

        Returns:
            float [n, length, hidden], and keys and values with the part's own.
        """
        shape = ops.shape(hidden_states)
        x = ops.reshape(hidden_states, (-1, hidden_states.shape[-1]))
        query, key, value = self.heads(self.attention_layer_norm(x), *shape[:2])
        keys, values = _written(keys, key, start), _written(values, value, start)
        x = self._finish(x, query, keys, values, attention_bias, training=False)
        return ops.reshape(x, shape), keys, values

    def _finish(
        self, x: Any, query: Any, key: Any, value: Any, attention_bias: Any, training: bool
    ) -> Any:
        """[tokens, hidden] → the same after attention and the feed-forward network."""
        x = x + self.attend(query, key, value, attention_bias, training)
        return x + self.feed_forward(self.feedforward_layer_norm(x), training)

    def initializer(self, name: str) -> keras.initializers.Initializer:
        """See TransformerLayer.initializer."""
        stddev = self.residual_stddev if name in _WRITERS else self.initializer_stddev
        return keras.initializers.RandomNormal(stddev=stddev)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return super().get_config() | {
            "initializer_stddev": self.initializer_stddev,
            "residual_stddev": self.residual_stddev,
        }


def _written(cache: Any, part: Any, start: Any) -> Any:
    """The cache [n, heads, total, size] with `part` [n, heads, length, size] at `start`."""
    end = start + ops.shape(part)[2]
    return ops.concatenate([cache[:, :, :start], part, cache[:, :, end:]], axis=2)
