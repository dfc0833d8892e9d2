"""A text classifier: tokenizer, BERT encoder and a linear head, kept together in one folder."""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from models import heads
from models.backbone import SEGMENT_IDS, build_backbone
from models.config import ClassifierConfig
from models.tokenizer import BertTokenizer, read_vocabulary

_CONFIG, _VOCABULARY, _WEIGHTS = "config.json", "vocab.txt", "model.weights.h5"
_PREDICT_BATCH = 64


class TextClassifier:
    """Text or pairs of texts in, one class, several classes or a number out: the training graph's own answer.

    Args:
        config: sizes, task and class names; class i has id i.
        vocabulary: the tokenizer's tokens by id.
        backbone: an encoder of `build_backbone(config.backbone)` with its weights, of pairs with `separator`;
            a new one by default.

    Raises:
        ValueError: the backbone of a classifier of pairs cannot tell the segments.
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
        if backbone is None:
            separator = self.tokenizer.separator if config.pairs else None
            backbone = build_backbone(config.backbone, separator=separator)
        elif config.pairs and SEGMENT_IDS not in {layer.name for layer in backbone.layers}:
            raise ValueError("a classifier of pairs needs a backbone that was built with separator")
        self.backbone = backbone
        self.model = _with_head(self.backbone, config)
        texts = [tf.TensorSpec([None], tf.string)] * (2 if config.pairs else 1)
        self._predict = tf.function(self._answers, input_signature=texts, autograph=False)

    def logits(self, texts: tf.Tensor, pairs: tf.Tensor | None = None) -> tf.Tensor:
        """The graph that every export and every check runs.

        Args:
            texts: string [n].
            pairs: string [n], the second texts, where `config.pairs`.

        Returns:
            float32 [n, classes]; of a regression [n, 1].

        Raises:
            ValueError: second texts are missing, or there are some that the model cannot read.
        """
        if (pairs is not None) != self.config.pairs:
            reads = "pairs of texts" if self.config.pairs else "one text at a time"
            raise ValueError(f"this model reads {reads}")
        return self.model(pad(self.tokenizer(texts, pairs)), training=False)

    def answers(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """What `models.heads.answers` makes of raw texts.

        Args:
            texts: any number of strings.
            pairs: as many second texts, where `config.pairs`.

        Returns:
            Arrays [n, …] by name.
        """
        inputs = [texts] if pairs is None else [texts, pairs]
        parts = [
            self._predict(
                *(tf.constant(each[i : i + _PREDICT_BATCH], tf.string) for each in inputs)
            )
            for i in range(0, max(len(texts), 1), _PREDICT_BATCH)
        ]
        return {
            name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]
        }

    def probabilities(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """Class probabilities of raw texts, float32 [n, classes]; of single_label each row's sum is 1."""
        return self.answers(texts, pairs)["probabilities"]

    def _answers(self, texts: tf.Tensor, pairs: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return heads.answers(self.config, self.logits(texts, pairs))

    def save(self, folder: str | Path) -> None:
        """Writes config.json, vocab.txt and model.weights.h5 into `folder`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _CONFIG).write_text(self.config.model_dump_json(indent=1))
        (folder / _VOCABULARY).write_text(
            "".join(f"{token}\n" for token in self.tokenizer.vocabulary)
        )
        self.model.save_weights(folder / _WEIGHTS)

    @classmethod
    def load(cls, folder: str | Path) -> "TextClassifier":
        """Reads what `save` wrote.

        Raises:
            FileNotFoundError: the folder holds no classifier.
        """
        folder = Path(folder)
        config = ClassifierConfig(**json.loads((folder / _CONFIG).read_text()))
        classifier = cls(config, read_vocabulary(folder / _VOCABULARY))
        classifier.model.load_weights(folder / _WEIGHTS)
        return classifier


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
        config.num_outputs,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        dtype="float32",  # logits keep their precision whatever the layers below compute in
        name="head",
    )(pooled)
    return keras.Model(backbone.input, logits, name="text_classifier")
