"""What the encoder's and the decoder's layers share: dense layers that are one matrix product each."""

import math
from typing import Any

import keras
from keras import ops

from models.dropout import Dropout
from models.layer_norm import LayerNorm

if keras.backend.backend() == "tensorflow":
    from models import tensorflow_ops


class TransformerLayer(keras.layers.Layer):
    """Self-attention, a feed-forward network, and two norms; a subclass says in which order.

    Arranged for speed: tokens of all rows are one [tokens, hidden] matrix throughout, and queries, keys and
    values come from one product. Keras's own layers multiply [n, length, hidden] row by row, twice as slow on
    a CPU. Keras has no fused attention on TensorFlow (`dot_product_attention(flash_attention=True)` is an
    error there), so the scores [n, heads, length, length] are made; what is added to them is the same for all
    heads, [n, 1, length, length].

    Args:
        intermediate_dim: width of the feed-forward network.
        num_heads: attention heads; divides the hidden size.
        dropout: rate after both parts and on the attention probabilities.
        epsilon: of the norms.
        gelu_form: "exact" or "tanh".
    """

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float,
        epsilon: float,
        gelu_form: str,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.epsilon = epsilon
        self.gelu_form = gelu_form

    def build(self, input_shape: tuple, *_: Any) -> None:
        """Makes the sublayers for [n, length, hidden] inputs."""
        hidden, inner = input_shape[-1], self.intermediate_dim
        self.attention_layer_norm = self._norm(hidden, "attention_layer_norm")
        self.attention_qkv = self._dense(hidden, 3 * hidden, "attention_qkv")
        self.attention_output = self._dense(hidden, hidden, "attention_output")
        self.feedforward_layer_norm = self._norm(hidden, "feedforward_layer_norm")
        self.feedforward_intermediate = self._dense(hidden, inner, "feedforward_intermediate")
        self.feedforward_output = self._dense(inner, hidden, "feedforward_output")
        self.probabilities_dropout = self._dropout("probabilities_dropout")
        self.attention_dropout = self._dropout("attention_dropout")
        self.feedforward_dropout = self._dropout("feedforward_dropout")

    def initializer(self, name: str) -> keras.initializers.Initializer:
        """A new one for the kernel of the dense layer with that name."""
        raise NotImplementedError

    def heads(self, x: Any, n: Any, length: Any) -> list[Any]:
        """[tokens, hidden] of (n, length) → query, key and value, each [n, heads, length, size]."""
        size = x.shape[-1] // self.num_heads
        qkv = ops.reshape(self.attention_qkv(x), (n, length, 3, self.num_heads, size))
        return ops.unstack(ops.transpose(qkv, (2, 0, 3, 1, 4)), 3)

    def attend(self, query: Any, key: Any, value: Any, bias: Any, training: bool) -> Any:
        """The attention part up to its dropout.

        Args:
            query: float [n, heads, length, size].
            key: float [n, heads, total, size].
            value: the same.
            bias: float, broadcast to [n, heads, length, total], which is added to the scores.
            training: whether to drop.

        Returns:
            float [tokens, hidden].
        """
        scale = ops.cast(query.shape[-1] ** -0.5, query.dtype)
        if training:
            scores = ops.matmul(query * scale, ops.swapaxes(key, -1, -2))
        else:  # product, scale and bias in one pass: TensorFlow fuses them, in this order only
            scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) * scale
        probabilities = ops.softmax(scores + ops.cast(bias, scores.dtype))
        probabilities = self.probabilities_dropout(probabilities, training=training)
        context = ops.transpose(ops.matmul(probabilities, value), (0, 2, 1, 3))
        hidden = self.num_heads * query.shape[-1]
        y = self.attention_output(ops.reshape(context, (-1, hidden)))
        return self.attention_dropout(y, training=training)

    def feed_forward(self, x: Any, training: bool) -> Any:
        """[tokens, hidden] → the same, the feed-forward part up to its dropout."""
        y = self.feedforward_output(self._gelu(self.feedforward_intermediate(x), training))
        return self.feedforward_dropout(y, training=training)

    def _gelu(self, x: Any, training: bool) -> Any:
        if training and keras.backend.backend() == "tensorflow":
            return tensorflow_ops.gelu(x, self.gelu_form)
        if self.gelu_form == "exact":
            # As Keras's own, in the order that TensorFlow fuses with the product before it.
            return x * (0.5 * (1.0 + ops.erf(x * math.sqrt(0.5))))
        return keras.activations.gelu(x, approximate=True)

    def _dense(self, inputs: int, outputs: int, name: str) -> keras.layers.Dense:
        layer = keras.layers.Dense(
            outputs,
            kernel_initializer=self.initializer(name),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, inputs))
        return layer

    def _norm(self, size: int, name: str) -> LayerNorm:
        layer = LayerNorm(self.epsilon, dtype=self.dtype_policy, name=name)
        layer.build((None, size))
        return layer

    def _dropout(self, name: str) -> Dropout:
        return Dropout(self.dropout, dtype=self.dtype_policy, name=name)

    def compute_output_shape(self, input_shape: tuple, *_: Any) -> tuple:
        """The hidden states' shape."""
        return input_shape

    def get_config(self) -> dict:
        """The arguments that all subclasses take."""
        return super().get_config() | {
            "intermediate_dim": self.intermediate_dim,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
        }
