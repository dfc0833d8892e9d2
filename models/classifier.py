"""A text classifier: tokenizer, BERT encoder and a linear head, kept together in one folder."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from models import heads
from models.backbone import SEGMENT_IDS, build_backbone
from models.config import ClassifierConfig
from models.length_buckets import LengthBuckets
from models.pooling import pool
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
        self._logits = LengthBuckets(
            lambda rows: self.model(pad(rows), training=False), config.num_outputs
        )
        self._embedding = LengthBuckets(
            lambda rows: self._pooled(pad(rows)), config.backbone.hidden_dim
        )
        self._answers = self._function(lambda *texts: heads.answers(config, self.logits(*texts)))
        self._embeddings = self._function(lambda *texts: {"embedding": self.embedding(*texts)})

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
        return self._logits(self._token_ids(texts, pairs))

    def embedding(self, texts: tf.Tensor, pairs: tf.Tensor | None = None) -> tf.Tensor:
        """The encoder's last states, pooled as `config.embedding_pooling` says; not normalised.

        Args:
            texts: string [n].
            pairs: see `logits`.

        Returns:
            float32 [n, hidden].

        Raises:
            ValueError: see `logits`.
        """
        return self._embedding(self._token_ids(texts, pairs))

    def _pooled(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        states = self.backbone(inputs, training=False)
        pooling = self.config.embedding_pooling or self.config.pooling
        return tf.cast(pool(states, inputs["padding_mask"], pooling), tf.float32)

    def _function(self, graph: Callable) -> Callable:
        texts = [tf.TensorSpec([None], tf.string)] * (2 if self.config.pairs else 1)
        return tf.function(graph, input_signature=texts, autograph=False)

    def _token_ids(self, texts: tf.Tensor, pairs: tf.Tensor | None) -> tf.RaggedTensor:
        if (pairs is not None) != self.config.pairs:
            reads = "pairs of texts" if self.config.pairs else "one text at a time"
            raise ValueError(f"this model reads {reads}")
        return self.tokenizer(texts, pairs)

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
        return _in_batches(self._answers, texts, pairs)

    def embeddings(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """What `embedding` makes of raw texts, float32 [n, hidden]."""
        return _in_batches(self._embeddings, texts, pairs)["embedding"]

    def probabilities(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """Class probabilities of raw texts, float32 [n, classes]; of single_label each row's sum is 1."""
        return self.answers(texts, pairs)["probabilities"]

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


def _in_batches(
    function: Callable, texts: Sequence[str], pairs: Sequence[str] | None
) -> dict[str, np.ndarray]:
    inputs = [texts] if pairs is None else [texts, pairs]
    parts = [
        function(*(tf.constant(each[i : i + _PREDICT_BATCH], tf.string) for each in inputs))
        for i in range(0, max(len(texts), 1), _PREDICT_BATCH)
    ]
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def _with_head(backbone: keras.Model, config: ClassifierConfig) -> keras.Model:
    pooled = pool(backbone.output, backbone.input["padding_mask"], config.pooling)
    pooled = keras.layers.Dropout(config.backbone.dropout, name="head_dropout")(pooled)
    logits = keras.layers.Dense(
        config.num_outputs,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        dtype="float32",  # logits keep their precision whatever the layers below compute in
        name="head",
    )(pooled)
    return keras.Model(backbone.input, logits, name="text_classifier")
