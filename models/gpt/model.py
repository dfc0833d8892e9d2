"""The GPT-2 decoder and its language-model head."""

from typing import Any

import keras
import keras_hub
from keras import ops

from models.dropout import Dropout
from models.gpt.config import GptConfig
from models.gpt.decoder_layer import LAYER_NORM_EPSILON, DecoderLayer
from models.layer_norm import LayerNorm

_INITIALIZER_STDDEV = 0.02  # GPT-2's
_UNSEEN = -3e4  # what float16 holds, too; finite, so that a token that sees nothing gives no NaN


def build_gpt(config: GptConfig) -> keras.Model:
    """Builds a pre-norm decoder with learned positions, whose output is tied to the token embedding.

    Attention is causal and stays inside a sequence: several may share a row. Positions are an input, so that
    they can restart in each.

    Args:
        config: the decoder's size.

    Returns:
        A functional model: `{"token_ids", "sequence_ids" (0 = padding, 1.. = which sequence of the row),
        "position_ids" (from 0 in each sequence)}`, all int32 [n, length] → logits of the next token, float32
        [n, length, vocabulary_size].
    """
    shape = (None,)
    token_ids, sequence_ids, position_ids = (
        keras.Input(shape, dtype="int32", name=name)
        for name in ("token_ids", "sequence_ids", "position_ids")
    )
    token_embedding = keras_hub.layers.ReversibleEmbedding(
        config.vocabulary_size,
        config.hidden_dim,
        embeddings_initializer=_initializer(),
        reverse_dtype="float32",  # logits keep their precision whatever the layers compute in
        name="token_embedding",
    )
    positions = keras.layers.Embedding(
        config.max_sequence_length,
        config.hidden_dim,
        embeddings_initializer=_initializer(),
        name="position_embedding",
    )(position_ids)
    x = Dropout(config.dropout, name="embeddings_dropout")(token_embedding(token_ids) + positions)
    attention_bias = CausalBias(name="causal_bias")(sequence_ids)
    for i in range(config.num_layers):
        x = DecoderLayer(
            config.intermediate_dim,
            config.num_heads,
            dropout=config.dropout,
            initializer_stddev=_INITIALIZER_STDDEV,
            # Each layer adds two terms to the residual stream, whose variance thus stays (GPT-2, 2.3).
            residual_stddev=_INITIALIZER_STDDEV * (2 * config.num_layers) ** -0.5,
            name=f"transformer_layer_{i}",
        )(x, attention_bias=attention_bias)
    x = LayerNorm(LAYER_NORM_EPSILON, name="final_layer_norm")(x)
    logits = token_embedding(x, reverse=True)
    inputs = {"token_ids": token_ids, "sequence_ids": sequence_ids, "position_ids": position_ids}
    return keras.Model(inputs, logits, name="gpt")


@keras.saving.register_keras_serializable(package="sciformer")
class CausalBias(keras.layers.Layer):
    """What is added to attention scores so that a token sees itself and what is before it in its sequence."""

    def call(self, sequence_ids: Any) -> Any:
        """Int [n, length], 0 = padding → float [n, 1, query, key]: 0, or very low for an unseen key."""
        places = ops.arange(ops.shape(sequence_ids)[1])
        same = (sequence_ids[:, :, None] == sequence_ids[:, None]) & (sequence_ids[:, None] > 0)
        return bias(same & (places[:, None] >= places))

    def compute_output_spec(self, sequence_ids: keras.KerasTensor) -> keras.KerasTensor:
        """See `call`."""
        n, length = sequence_ids.shape
        return keras.KerasTensor((n, 1, length, length), self.compute_dtype)


def bias(seen: Any) -> Any:
    """Bool [n, query, key] → float32 [n, 1, query, key]: 0 where seen, else very low."""
    return ops.where(seen[:, None], 0.0, _UNSEEN)


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=_INITIALIZER_STDDEV)
