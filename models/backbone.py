"""The BERT encoder, made of keras-hub's layers."""

import keras
import keras_hub

from models.config import BackboneConfig


@keras.saving.register_keras_serializable(package="sciformer")
def exact_gelu(x: keras.KerasTensor) -> keras.KerasTensor:
    """x·Φ(x) with the error function (arXiv 1606.08415), not its tanh approximation."""
    return keras.activations.gelu(x, approximate=False)


@keras.saving.register_keras_serializable(package="sciformer")
def tanh_gelu(x: keras.KerasTensor) -> keras.KerasTensor:
    """The tanh approximation of x·Φ(x) (arXiv 1606.08415, section 2)."""
    return keras.activations.gelu(x, approximate=True)


def build_backbone(config: BackboneConfig) -> keras.Model:
    """Builds an encoder of post-norm transformer layers.

    keras-hub's own BertBackbone always uses the tanh GELU; most published weights want the exact one, so
    the model is put together here, from the same layers, with the GELU the weights were trained with.

    Args:
        config: the encoder's size and form.

    Returns:
        A functional model: `{"token_ids": int32 [n, length], "padding_mask": int32 [n, length] (1 = a
        token)}` → hidden states float32 [n, length, hidden_dim]. The states of each layer are the outputs
        of the layers named `embeddings_layer_norm` and `transformer_layer_0` … .
    """
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")

    tokens = keras_hub.layers.ReversibleEmbedding(
        config.vocabulary_size,
        config.hidden_dim,
        embeddings_initializer=_initializer(),
        name="token_embedding",
    )(token_ids)
    positions = keras_hub.layers.PositionEmbedding(
        config.max_sequence_length, initializer=_initializer(), name="position_embedding"
    )(tokens)
    segments = keras.layers.Embedding(
        2, config.hidden_dim, embeddings_initializer=_initializer(), name="segment_embedding"
    )(keras.ops.zeros_like(token_ids))
    x = keras.layers.Add(name="embeddings_add")([tokens, positions, segments])
    x = keras.layers.LayerNormalization(epsilon=1e-12, name="embeddings_layer_norm")(x)
    x = keras.layers.Dropout(config.dropout, name="embeddings_dropout")(x)
    for i in range(config.num_layers):
        x = keras_hub.layers.TransformerEncoder(
            intermediate_dim=config.intermediate_dim,
            num_heads=config.num_heads,
            dropout=config.dropout,
            activation=exact_gelu if config.gelu == "exact" else tanh_gelu,
            layer_norm_epsilon=1e-12,
            kernel_initializer=_initializer(),
            name=f"transformer_layer_{i}",
        )(x, padding_mask=padding_mask)
    return keras.Model({"token_ids": token_ids, "padding_mask": padding_mask}, x, name="backbone")


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.TruncatedNormal(stddev=0.02)
