"""A text classifier: tokenizer, BERT encoder and a linear head, kept together in one folder."""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from models.backbone import build_backbone
from models.config import ClassifierConfig
from models.tokenizer import BertTokenizer, read_vocabulary

_CONFIG, _VOCABULARY, _WEIGHTS = "config.json", "vocab.txt", "model.weights.h5"
_PREDICT_BATCH = 64


class TextClassifier:
    """Text in, class probabilities out; the training graph's own answer.

    Args:
        config: sizes and class names; class i has id i.
        vocabulary: the tokenizer's tokens by id.
        backbone: an encoder of `build_backbone(config.backbone)` with its weights; a new one by default.
    """

    def __init__(
        self,
        config: ClassifierConfig,
        vocabulary: Sequence[str],
        backbone: keras.Model | None = None,
    ):
        self.config = config
        self.classes = list(config.classes)
        self.tokenizer = BertTokenizer(vocabulary, config.max_length)
        self.backbone = backbone if backbone is not None else build_backbone(config.backbone)
        self.model = _with_head(self.backbone, config)
        self._predict = tf.function(
            self.logits, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        )

    def logits(self, texts: tf.Tensor) -> tf.Tensor:
        """String [n] → float32 [n, classes]: the graph that every export and every check runs."""
        return self.model(pad(self.tokenizer(texts)), training=False)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Class probabilities of raw texts.

        Args:
            texts: any number of strings.

        Returns:
            float32 [n, classes], each row summing to 1.
        """
        rows = [
            tf.nn.softmax(self._predict(tf.constant(texts[i : i + _PREDICT_BATCH]))).numpy()
            for i in range(0, len(texts), _PREDICT_BATCH)
        ]
        return np.concatenate(rows) if rows else np.zeros((0, len(self.classes)), np.float32)

    def save(self, folder: str | Path) -> None:
        """Writes config.json, vocab.txt and model.weights.h5 into `folder`."""
        self.describe(folder)
        self.model.save_weights(Path(folder, _WEIGHTS))

    def describe(self, folder: str | Path) -> None:
        """Writes config.json and vocab.txt into `folder`: all that `save` does but the weights."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _CONFIG).write_text(self.config.model_dump_json(indent=1))
        (folder / _VOCABULARY).write_text(
            "".join(f"{token}\n" for token in self.tokenizer.vocabulary)
        )

    @classmethod
    def load(cls, folder: str | Path) -> "TextClassifier":
        """Reads what `save` wrote.

        Raises:
            FileNotFoundError: the folder holds no classifier.
        """
        classifier = cls(*read_description(folder))
        classifier.model.load_weights(Path(folder, _WEIGHTS))
        return classifier


def read_description(folder: str | Path) -> tuple[ClassifierConfig, list[str]]:
    """Config and vocabulary that `describe` or `save` wrote.

    Raises:
        FileNotFoundError: the folder holds no classifier.
    """
    config = ClassifierConfig(**json.loads(Path(folder, _CONFIG).read_text()))
    return config, read_vocabulary(Path(folder, _VOCABULARY))


def pad(token_ids: tf.RaggedTensor) -> dict[str, tf.Tensor]:
    """Ragged int32 [n, (ids)] → the model's dense inputs, as long as the longest row."""
    return {
        "token_ids": token_ids.to_tensor(),
        "padding_mask": tf.cast(tf.sequence_mask(token_ids.row_lengths()), tf.int32),
    }


def _with_head(backbone: keras.Model, config: ClassifierConfig) -> keras.Model:
    hidden = backbone.output
    if config.pooling == "mean":
        pooled = keras.layers.GlobalAveragePooling1D(name="mean_pooling")(
            hidden, mask=backbone.input["padding_mask"]
        )
    else:
        pooled = hidden[:, 0]
    pooled = keras.layers.Dropout(config.backbone.dropout, name="head_dropout")(pooled)
    logits = keras.layers.Dense(
        len(config.classes),
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        dtype="float32",  # logits keep their precision whatever the layers below compute in
        name="head",
    )(pooled)
    return keras.Model(backbone.input, logits, name="text_classifier")
