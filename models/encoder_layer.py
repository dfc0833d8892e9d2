"""A transformer encoder layer whose dense layers are one matrix product each."""

from typing import Any

import keras
from keras import ops

from models.dropout import Dropout
from models.layer_norm import LayerNorm

if keras.backend.backend() == "tensorflow":
    from models import tensorflow_ops


@keras.saving.register_keras_serializable(package="sciformer")
class EncoderLayer(keras.layers.Layer):
    """Self-attention and a feed-forward network, each with dropout, a residual and a norm after it
    (arXiv 1706.03762, section 3; arXiv 1810.04805).

    The same function as keras_hub.layers.TransformerEncoder with `normalize_first=False`, arranged for speed:
    tokens of all rows are one [tokens, hidden] matrix throughout, and queries, keys and values come from one
    product. Keras's own layers multiply [n, length, hidden] row by row, twice as slow on a CPU.

    Args:
        intermediate_dim: width of the feed-forward network.
        num_heads: attention heads; divides the hidden size.
        dropout: rate after both parts and on the attention probabilities.
        gelu_form: "exact" or "tanh".
        initializer_stddev: of all kernels.
    """

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float,
        gelu_form: str,
        initializer_stddev: float,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.gelu_form = gelu_form
        self.initializer_stddev = initializer_stddev

    def build(self, input_shape: tuple, *_: Any) -> None:
        """Makes the sublayers for [n, length, hidden] inputs."""
        hidden = input_shape[-1]
        self.attention_qkv = self._dense(hidden, 3 * hidden, "attention_qkv")
        self.attention_output = self._dense(hidden, hidden, "attention_output")
        self.attention_layer_norm = self._norm(hidden, "attention_layer_norm")
        self.feedforward_intermediate = self._dense(
            hidden, self.intermediate_dim, "feedforward_intermediate"
        )
        self.feedforward_output = self._dense(self.intermediate_dim, hidden, "feedforward_output")
        self.feedforward_layer_norm = self._norm(hidden, "feedforward_layer_norm")
        self.probabilities_dropout = self._dropout("probabilities_dropout")
        self.attention_dropout = self._dropout("attention_dropout")
        self.feedforward_dropout = self._dropout("feedforward_dropout")

    def call(
        self,
        hidden_states: Any,
        padding_mask: Any = None,
        attention_bias: Any = None,
        training: bool = False,
    ) -> Any:
        """One layer.

        Args:
            hidden_states: float [n, length, hidden].
            padding_mask: int [n, length], 1 = a token, 0 = padding, which is attended to by nobody.
            attention_bias: or, float [n, 1, length, length], what is added to the scores of each query's
                keys: see `SequenceBias`.
            training: whether to drop.

        Returns:
            float [n, length, hidden].
        """
        shape = ops.shape(hidden_states)
        x = ops.reshape(hidden_states, (-1, shape[-1]))
        if attention_bias is None:
            hidden_keys = ops.cast(1 - padding_mask, x.dtype)[:, None, None, :]
            attention_bias = _lowest(x.dtype) * hidden_keys
        y = self.attention_output(self._attend(x, shape[:2], attention_bias, training))
        x = self.attention_layer_norm(x + self.attention_dropout(y, training=training))
        y = self.feedforward_output(self._gelu(self.feedforward_intermediate(x), training))
        x = self.feedforward_layer_norm(x + self.feedforward_dropout(y, training=training))
        return ops.reshape(x, shape)

    def _attend(self, x: Any, rows: tuple, bias: Any, training: bool) -> Any:
        """[tokens, hidden] of (n, length) → the heads' weighted means of values, [tokens, hidden]."""
        n, length = rows
        size = x.shape[-1] // self.num_heads
        qkv = ops.reshape(self.attention_qkv(x), (n, length, 3, self.num_heads, size))
        query, key, value = ops.unstack(ops.transpose(qkv, (2, 0, 3, 1, 4)), 3)
        query = query * ops.cast(size**-0.5, x.dtype)
        scores = ops.matmul(query, ops.swapaxes(key, -1, -2))
        probabilities = ops.softmax(scores + bias)
        probabilities = self.probabilities_dropout(probabilities, training=training)
        context = ops.transpose(ops.matmul(probabilities, value), (0, 2, 1, 3))
        return ops.reshape(context, (-1, x.shape[-1]))

    def _gelu(self, x: Any, training: bool) -> Any:
        if training and self.gelu_form == "exact" and keras.backend.backend() == "tensorflow":
            return tensorflow_ops.gelu(x)
        return keras.activations.gelu(x, approximate=self.gelu_form == "tanh")

    def _dense(self, inputs: int, outputs: int, name: str) -> keras.layers.Dense:
        layer = keras.layers.Dense(
            outputs,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=self.initializer_stddev),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, inputs))
        return layer

    def _norm(self, size: int, name: str) -> LayerNorm:
        layer = LayerNorm(epsilon=1e-12, dtype=self.dtype_policy, name=name)
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
            "gelu_form": self.gelu_form,
            "initializer_stddev": self.initializer_stddev,
        }


@keras.saving.register_keras_serializable(package="sciformer")
class SequenceBias(keras.layers.Layer):
    """Keeps the sequences of a packed row from seeing each other (arXiv 2107.02027, section 3.2.2).

    Made once a batch for all layers and heads.
    """

    def call(self, sequence_ids: Any) -> Any:
        """Int [n, length], 0 = padding → float [n, 1, length, length]: 0 where query and key are of one
        sequence, else so low that nothing of the key is left.
        """
        differ = sequence_ids[:, None, :, None] != sequence_ids[:, None, None, :]
        return ops.cast(differ, self.compute_dtype) * _lowest(self.compute_dtype)

    def compute_output_spec(self, sequence_ids: keras.KerasTensor) -> keras.KerasTensor:
        """See `call`."""
        n, length = sequence_ids.shape
        return keras.KerasTensor((n, 1, length, length), self.compute_dtype)


def _lowest(dtype: Any) -> float:
    """Finite, so that a row of padding only gives no NaN."""
    return -3e4 if dtype == "float16" else -1e9
