"""The output layer of a masked language model."""

from typing import Any

import keras
from keras import ops

from models.layer_norm import LayerNorm


@keras.saving.register_keras_serializable(package="sciformer")
class MaskedLMHead(keras.layers.Layer):
    """Guesses the tokens at some positions: dense layer, GELU, layer normalization and the product with the
    token embeddings (arXiv 1810.04805, appendix A.1; tied as in arXiv 1608.05859).

    The same function as keras_hub.layers.MaskedLMHead, which multiplies row by row; all positions of all rows
    are one matrix here.

    Args:
        token_embedding: the backbone's, a keras_hub.layers.ReversibleEmbedding.
        gelu_form: "exact" or "tanh".
        initializer_stddev: of the dense layer's kernel.
    """

    def __init__(
        self, token_embedding: Any, gelu_form: str, initializer_stddev: float, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.token_embedding = token_embedding
        self.gelu_form = gelu_form
        self.initializer_stddev = initializer_stddev

    def build(self, input_shape: tuple, *_: Any) -> None:
        """Makes the variables for [n, length, hidden] inputs."""
        hidden = input_shape[-1]
        self.dense = keras.layers.Dense(
            hidden,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=self.initializer_stddev),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build((None, hidden))
        self.layer_norm = LayerNorm(epsilon=1e-12, dtype=self.dtype_policy, name="layer_norm")
        self.layer_norm.build((None, hidden))
        self.bias = self.add_weight(
            name="bias",
            shape=(self.token_embedding.input_dim,),
            initializer="zeros",
            autocast=False,
        )

    def call(self, hidden_states: Any, positions: Any) -> Any:
        """Guesses.

        Args:
            hidden_states: float [n, length, hidden].
            positions: int [n, masks], places in each row.

        Returns:
            Logits, float32 [n · masks, vocabulary], whatever the layer computes in.
        """
        x = gather(hidden_states, positions)
        x = keras.activations.gelu(self.dense(x), approximate=self.gelu_form == "tanh")
        logits = self.token_embedding(self.layer_norm(x), reverse=True)
        return ops.cast(logits, "float32") + self.bias

    def compute_output_spec(
        self, hidden_states: keras.KerasTensor, positions: keras.KerasTensor
    ) -> keras.KerasTensor:
        """See `call`."""
        return keras.KerasTensor((None, self.token_embedding.input_dim), "float32")

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return super().get_config() | {
            "token_embedding": keras.layers.serialize(self.token_embedding),
            "gelu_form": self.gelu_form,
            "initializer_stddev": self.initializer_stddev,
        }

    @classmethod
    def from_config(cls, config: dict) -> "MaskedLMHead":
        """A layer with an embedding of its own, until it is given the model's."""
        embedding = keras.layers.deserialize(config["token_embedding"])
        return cls(**config | {"token_embedding": embedding})


def gather(hidden_states: Any, positions: Any) -> Any:
    """Float [n, length, hidden] and int [n, k] → [n · k, hidden], the states at the rows' positions."""
    n, length, hidden = ops.shape(hidden_states)
    places = positions + length * ops.arange(n, dtype="int32")[:, None]
    return ops.take(ops.reshape(hidden_states, (-1, hidden)), ops.reshape(places, (-1,)), axis=0)
