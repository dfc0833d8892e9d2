"""The one export: a SavedModel that TFMA, BulkInferrer and TensorFlow Serving all load."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from models.classifier import TextClassifier

Signature = Callable[[tf.Tensor], dict[str, tf.Tensor]]


def export_classifier(
    classifier: TextClassifier,
    folder: str,
    signatures: dict[str, Signature] | None = None,
    resources: Sequence[Any] = (),
) -> None:
    """Writes a SavedModel with a signature for each way in.

    `serving_text(text: string [n])` and `serving_default(examples: string [n], serialized tf.Example with
    a "text" feature)` both give `label` (string [n]), `probabilities` (float32 [n, classes]) and `classes`
    (string [n, classes], the same names in every row).

    keras.export.ExportArchive is used because `tf.saved_model.save` of a Keras 3 model cannot be loaded by
    the TF1-style loader of BulkInferrer and TensorFlow Serving (keras-team/keras#20095).

    Args:
        classifier: the trained model.
        folder: where the SavedModel goes.
        signatures: more signatures by name, each a function of a string [n].
        resources: trackables (hash tables, layers) that those functions use.
    """
    archive = keras.export.ExportArchive()
    archive.track(classifier.model)
    for resource in resources:
        archive.track(resource)

    def answer(texts: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.nn.softmax(classifier.logits(texts))
        classes = tf.constant(classifier.classes)
        return {
            "label": tf.gather(classes, tf.argmax(probabilities, axis=-1)),
            "probabilities": probabilities,
            "classes": tf.repeat(classes[tf.newaxis], tf.shape(probabilities)[0], axis=0),
        }

    def serving_text(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(text)

    def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(
            tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})["text"]
        )

    every = {"serving_default": serving_default, "serving_text": serving_text} | (signatures or {})
    for name, function in every.items():
        argument = "text" if name == "serving_text" else "examples"
        spec = tf.TensorSpec([None], tf.string, name=argument)
        # autograph=False: there is no Python control flow to convert, and converting costs seconds.
        archive.add_endpoint(name, tf.function(function, input_signature=[spec], autograph=False))
    archive.write_out(folder, verbose=False)
