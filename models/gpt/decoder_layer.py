"""A GPT-2 decoder layer whose dense layers are one matrix product each, with a cache for generation."""

from typing import Any

import keras
from keras import ops

from models.dropout import Dropout
from models.layer_norm import LayerNorm

LAYER_NORM_EPSILON = 1e-5  # GPT-2's


@keras.saving.register_keras_serializable(package="sciformer")
class DecoderLayer(keras.layers.Layer):
    """Self-attention and a feed-forward network, each with a norm before it and a residual around it
    (Radford et al. 2019, section 2.3).

    The same function as keras_hub.layers.TransformerDecoder with `normalize_first=True` and no encoder, but
    arranged as in models.encoder_layer. keras-hub's was not taken for two reasons: its cache wants
    `ops.slice_update`, an XLA operation that model servers may lack, and it trains at 0.9 of the speed on a
    CPU (4 layers of 256, rows of 256, dropout).

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
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.initializer_stddev = initializer_stddev
        self.residual_stddev = residual_stddev

    def build(self, input_shape: tuple, *_: Any) -> None:
        """Makes the sublayers for [n, length, hidden] inputs."""
        hidden, inner = input_shape[-1], self.intermediate_dim
        read, write = self.initializer_stddev, self.residual_stddev
        self.attention_layer_norm = self._norm(hidden, "attention_layer_norm")
        self.attention_qkv = self._dense(hidden, 3 * hidden, read, "attention_qkv")
        self.attention_output = self._dense(hidden, hidden, write, "attention_output")
        self.feedforward_layer_norm = self._norm(hidden, "feedforward_layer_norm")
        self.feedforward_intermediate = self._dense(hidden, inner, read, "feedforward_intermediate")
        self.feedforward_output = self._dense(inner, hidden, write, "feedforward_output")
        self.probabilities_dropout = self._dropout("probabilities_dropout")
        self.attention_dropout = self._dropout("attention_dropout")
        self.feedforward_dropout = self._dropout("feedforward_dropout")

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
        x = ops.reshape(hidden_states, (-1, hidden_states.shape[-1]))
        query, key, value = self._heads(x, *ops.shape(hidden_states)[:2])
        x = self._finish(x, query, key, value, attention_bias, training)
        return ops.reshape(x, ops.shape(hidden_states))

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
        x = ops.reshape(hidden_states, (-1, hidden_states.shape[-1]))
        query, key, value = self._heads(x, *ops.shape(hidden_states)[:2])
        keys, values = _written(keys, key, start), _written(values, value, start)
        x = self._finish(x, query, keys, values, attention_bias, training=False)
        return ops.reshape(x, ops.shape(hidden_states)), keys, values

    def _heads(self, x: Any, n: Any, length: Any) -> list[Any]:
        """[tokens, hidden] → query, key and value, each [n, heads, length, size]."""
        size = x.shape[-1] // self.num_heads
        qkv = self.attention_qkv(self.attention_layer_norm(x))
        qkv = ops.reshape(qkv, (n, length, 3, self.num_heads, size))
        return ops.unstack(ops.transpose(qkv, (2, 0, 3, 1, 4)), 3)

    def _finish(
        self, x: Any, query: Any, key: Any, value: Any, attention_bias: Any, training: bool
    ) -> Any:
        """[tokens, hidden] → the same after attention and the feed-forward network."""
        query = query * ops.cast(query.shape[-1] ** -0.5, x.dtype)
        scores = ops.matmul(query, ops.swapaxes(key, -1, -2))
        probabilities = ops.softmax(scores + ops.cast(attention_bias, x.dtype))
        probabilities = self.probabilities_dropout(probabilities, training=training)
        context = ops.transpose(ops.matmul(probabilities, value), (0, 2, 1, 3))
        y = self.attention_output(ops.reshape(context, (-1, x.shape[-1])))
        x = x + self.attention_dropout(y, training=training)
        y = self.feedforward_intermediate(self.feedforward_layer_norm(x))
        y = self.feedforward_output(keras.activations.gelu(y, approximate=True))
        return x + self.feedforward_dropout(y, training=training)

    def _dense(self, inputs: int, outputs: int, stddev: float, name: str) -> keras.layers.Dense:
        layer = keras.layers.Dense(
            outputs,
            kernel_initializer=keras.initializers.RandomNormal(stddev=stddev),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, inputs))
        return layer

    def _norm(self, size: int, name: str) -> LayerNorm:
        layer = LayerNorm(LAYER_NORM_EPSILON, dtype=self.dtype_policy, name=name)
        layer.build((None, size))
        return layer

    def _dropout(self, name: str) -> Dropout:
        return Dropout(self.dropout, dtype=self.dtype_policy, name=name)

    def compute_output_shape(self, input_shape: tuple, *_: Any) -> tuple:
        """The hidden states' shape."""
        return input_shape

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return super().get_config() | {
            "intermediate_dim": self.intermediate_dim,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "initializer_stddev": self.initializer_stddev,
            "residual_stddev": self.residual_stddev,
        }


def _written(cache: Any, part: Any, start: Any) -> Any:
    """The cache [n, heads, total, size] with `part` [n, heads, length, size] at `start`."""
    end = start + ops.shape(part)[2]
    return ops.concatenate([cache[:, :, :start], part, cache[:, :, end:]], axis=2)
