"""One vector for a text, made of the states of its tokens."""

from typing import Any

import keras
from keras import ops

from models.config import Pooling


def pool(states: Any, padding_mask: Any, pooling: Pooling) -> Any:
    """Reduces each row's token states to one vector; [CLS] and [SEP] are tokens like all others.

    Args:
        states: float [n, length, hidden], tensor or KerasTensor.
        padding_mask: int32 [n, length], 1 = a token; each row has at least one.
        pooling: the tokens' "mean" or, by component, "max", or the first token's state, "cls".

    Returns:
        float [n, hidden], of the same dtype.
    """
    if pooling == "cls":
        return ops.sum(states[:, :1], axis=1)  # a batch of no rows has no first token
    if pooling == "mean":
        return keras.layers.GlobalAveragePooling1D(name="mean_pooling")(states, mask=padding_mask)
    is_token = ops.cast(padding_mask, "bool")[:, :, None]
    return ops.max(ops.where(is_token, states, -float("inf")), axis=1)
