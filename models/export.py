"""The one export: a SavedModel that TFMA, BulkInferrer and TensorFlow Serving all load."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from models import heads
from models.classifier import TextClassifier

TEXT, TEXT_PAIR = "text", "text_pair"  # arguments of serving_text, and features of an example
Signature = Callable[[tf.Tensor], dict[str, tf.Tensor]]


def export_classifier(
    classifier: TextClassifier,
    folder: str,
    signatures: dict[str, Signature] | None = None,
    resources: Sequence[Any] = (),
) -> None:
    """Writes a SavedModel with a signature for each way in.

    `serving_text(text: string [n])` and `serving_default(examples: string [n], serialized tf.Example with
    a "text" feature)` both give what `models.heads.answers` does. A model of pairs also has the argument
    `text_pair` (string [n]) and the feature of that name.

    keras.export.ExportArchive is used because `tf.saved_model.save` of a Keras 3 model cannot be loaded by
    the TF1-style loader of BulkInferrer and TensorFlow Serving (keras-team/keras#20095).

    Args:
        classifier: the trained model.
        folder: where the SavedModel goes.
        signatures: more signatures by name, each a function of a string [n], `examples`.
        resources: trackables (hash tables, layers) that those functions use.
    """
    archive = keras.export.ExportArchive()
    archive.track(classifier.model)
    for resource in resources:
        archive.track(resource)
    names = [TEXT, TEXT_PAIR] if classifier.config.pairs else [TEXT]

    def serving_text(*texts: tf.Tensor) -> dict[str, tf.Tensor]:
        return heads.answers(classifier.config, classifier.logits(*texts))

    def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        features = {name: tf.io.FixedLenFeature([], tf.string) for name in names}
        parsed = tf.io.parse_example(examples, features)
        return serving_text(*(parsed[name] for name in names))

    def add(name: str, function: Callable, arguments: Sequence[str]) -> None:
        specs = [tf.TensorSpec([None], tf.string, name=argument) for argument in arguments]
        # autograph=False: there is no Python control flow to convert, and converting costs seconds.
        archive.add_endpoint(name, tf.function(function, input_signature=specs, autograph=False))

    add("serving_text", serving_text, names)
    for name, function in ({"serving_default": serving_default} | (signatures or {})).items():
        add(name, function, ["examples"])
    archive.write_out(folder, verbose=False)
