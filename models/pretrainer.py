"""A BERT with the heads that it is pretrained with."""

from typing import Any

import keras

from models.backbone import INITIALIZER_STDDEV, build_backbone
from models.config import BackboneConfig
from models.masked_lm_head import MaskedLMHead, gather

MASKED_LM, NEXT_SENTENCE = "masked_lm_logits", "next_sentence_logits"


def build_pretrainer(
    config: BackboneConfig, next_sentence: bool, backbone: keras.Model | None = None
) -> keras.Model:
    """Builds a model of masked tokens and, if wanted, of next sentences (arXiv 1810.04805, section 3.1).

    Args:
        config: the backbone's size and form.
        next_sentence: whether to tell random second segments from those that came next.
        backbone: of `build_backbone(config, packed=True)`, with its weights; a new one by default.

    Returns:
        A functional model of the backbone's packed inputs, `masked_positions` (int32 [n, masks]) and, with
        next sentences, `first_positions` (int32 [n, sequences]): → `{"masked_lm_logits": float32 [n · masks,
        vocabulary]}` and `next_sentence_logits`, float32 [n · sequences, 2] (0 = came next, 1 = random). Its
        layer `backbone` is the backbone.
    """
    backbone = backbone or build_backbone(config, packed=True)
    inputs = dict(backbone.input) | {"masked_positions": _positions("masked_positions")}
    hidden_states = backbone(backbone.input)
    head = MaskedLMHead(
        backbone.get_layer("token_embedding"),
        config.gelu,
        INITIALIZER_STDDEV,
        name="masked_lm_head",
    )
    outputs = {MASKED_LM: head(hidden_states, inputs["masked_positions"])}
    if next_sentence:
        inputs["first_positions"] = _positions("first_positions")
        firsts = _Gather(name="first_tokens")(hidden_states, inputs["first_positions"])
        pooled = _dense(config.hidden_dim, "pooler", activation="tanh")(firsts)
        outputs[NEXT_SENTENCE] = _dense(2, "next_sentence", dtype="float32")(pooled)
    return keras.Model(inputs, outputs, name="pretrainer")


@keras.saving.register_keras_serializable(package="sciformer")
class _Gather(keras.layers.Layer):
    """States at some positions of each row."""

    def call(self, hidden_states: Any, positions: Any) -> Any:
        return gather(hidden_states, positions)

    def compute_output_spec(
        self, hidden_states: keras.KerasTensor, positions: keras.KerasTensor
    ) -> keras.KerasTensor:
        return keras.KerasTensor((None, hidden_states.shape[-1]), self.compute_dtype)


def _positions(name: str) -> keras.KerasTensor:
    return keras.Input((None,), dtype="int32", name=name)


def _dense(size: int, name: str, **settings: Any) -> keras.layers.Dense:
    initializer = keras.initializers.TruncatedNormal(stddev=INITIALIZER_STDDEV)
    return keras.layers.Dense(size, kernel_initializer=initializer, name=name, **settings)
