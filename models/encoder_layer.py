"""A transformer encoder layer whose dense layers are one matrix product each."""

from typing import Any

import keras
from keras import ops

from models.transformer_layer import TransformerLayer

_LAYER_NORM_EPSILON = 1e-12  # BERT's


@keras.saving.register_keras_serializable(package="sciformer")
class EncoderLayer(TransformerLayer):
    """Self-attention and a feed-forward network, each with dropout, a residual and a norm after it
    (arXiv 1706.03762, section 3; arXiv 1810.04805).

    The same function as keras_hub.layers.TransformerEncoder with `normalize_first=False`.

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
        super().__init__(
            intermediate_dim, num_heads, dropout, _LAYER_NORM_EPSILON, gelu_form, **kwargs
        )
        self.initializer_stddev = initializer_stddev

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
        query, key, value = self.heads(x, *shape[:2])
        x = self.attention_layer_norm(x + self.attend(query, key, value, attention_bias, training))
        x = self.feedforward_layer_norm(x + self.feed_forward(x, training))
        return ops.reshape(x, shape)

    def initializer(self, name: str) -> keras.initializers.Initializer:
        """See TransformerLayer.initializer; the same for all."""
        return keras.initializers.TruncatedNormal(stddev=self.initializer_stddev)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return super().get_config() | {
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
