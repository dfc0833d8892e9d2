"""The BERT encoder."""

import keras
import keras_hub

from models.config import BackboneConfig
from models.dropout import Dropout
from models.embeddings import PositionEmbedding, SegmentEmbedding, SegmentIds
from models.encoder_layer import EncoderLayer, SequenceBias
from models.layer_norm import LayerNorm

INITIALIZER_STDDEV = 0.02  # BERT's
SEGMENT_IDS = "segment_ids"  # the layer that a backbone for pairs has
_PACKED_INPUTS = ("token_ids", "sequence_ids", "position_ids", "segment_ids")


def build_backbone(
    config: BackboneConfig, packed: bool = False, separator: int | None = None
) -> keras.Model:
    """Builds an encoder of post-norm transformer layers.

    keras-hub's own BertBackbone always uses the tanh GELU, where most published weights want the exact one,
    and its layers train at half the speed of these on a CPU.

    Args:
        config: the encoder's size and form.
        packed: whether a row holds several sequences, which do not see each other.
        separator: the id after which a row's second segment begins, if rows hold pairs of texts; by default
            all is of the first. The variables and their paths are the same in all forms.

    Returns:
        A functional model: `{"token_ids": int32 [n, length], "padding_mask": int32 [n, length] (1 = a
        token)}` → hidden states float32 [n, length, hidden_dim]. Packed, its inputs are `token_ids`,
        `sequence_ids` (0 = padding), `position_ids` and `segment_ids`, int32 [n, length] all, as
        `models.sequence_rows` gives them. The states of each layer are the outputs of the layers named
        `embeddings_layer_norm` and `transformer_layer_0` … .
    """
    names = _PACKED_INPUTS if packed else ("token_ids", "padding_mask")
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in names}

    tokens = keras_hub.layers.ReversibleEmbedding(
        config.vocabulary_size,
        config.hidden_dim,
        embeddings_initializer=_initializer(),
        name="token_embedding",
    )(inputs["token_ids"])
    positions = PositionEmbedding(
        config.max_sequence_length,
        config.hidden_dim,
        embeddings_initializer=_initializer(),
        name="position_embedding",
    )(tokens, *([inputs["position_ids"]] if packed else []))
    if packed:
        segments = [inputs["segment_ids"]]
    elif separator is not None:
        segments = [SegmentIds(separator, name=SEGMENT_IDS)(inputs["token_ids"])]
    else:
        segments = []
    positions = SegmentEmbedding(
        2, config.hidden_dim, embeddings_initializer=_initializer(), name="segment_embedding"
    )(positions, *segments)
    x = LayerNorm(epsilon=1e-12, name="embeddings_layer_norm")(tokens + positions)
    x = Dropout(config.dropout, name="embeddings_dropout")(x)
    if packed:
        visible = {"attention_bias": SequenceBias(name="sequence_bias")(inputs["sequence_ids"])}
    else:
        visible = {"padding_mask": inputs["padding_mask"]}
    for i in range(config.num_layers):
        x = EncoderLayer(
            config.intermediate_dim,
            config.num_heads,
            dropout=config.dropout,
            gelu_form=config.gelu,
            initializer_stddev=INITIALIZER_STDDEV,
            name=f"transformer_layer_{i}",
        )(x, **visible)
    return keras.Model(inputs, x, name="backbone")


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.TruncatedNormal(stddev=INITIALIZER_STDDEV)
