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
    a "text" feature)` both give what `models.heads.answers` does. `classify(inputs)`, or of a regression
    `regress(inputs)`, gives the same of tf.Examples in the form that TensorFlow Serving's calls of that name
    ask for: it knows them by the names of inputs and outputs. `embed(text)` gives `embedding` (float32
    [n, hidden]). A model of pairs also has the argument `text_pair` (string [n]) and the feature of that
    name.

    keras.export.ExportArchive is used because `tf.saved_model.save` of a Keras 3 model cannot be loaded by
    the TF1-style loader of BulkInferrer and TensorFlow Serving (keras-team/keras#20095).

    Args:
        classifier: the trained model.
        folder: where the SavedModel goes.
        signatures: more signatures by name, each a function of a string [n], `examples`.
        resources: trackables (hash tables, layers) that those functions use.
    """
    archive = keras.export.ExportArchive()
    # Not track(model): it would write Keras's wrappers of the variables too, and with them every weight
    # twice (keras-team/keras#23553).
    weights = [weight.value for weight in classifier.model.weights]
    archive.add_variable_collection("variables", weights)  # what models.warm_start reads
    for resource in resources:
        archive.track(resource)
    names = [TEXT, TEXT_PAIR] if classifier.config.pairs else [TEXT]

    def serving_text(*texts: tf.Tensor) -> dict[str, tf.Tensor]:
        return heads.answers(classifier.config, classifier.logits(*texts))

    def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        features = {name: tf.io.FixedLenFeature([], tf.string) for name in names}
        parsed = tf.io.parse_example(examples, features)
        return serving_text(*(parsed[name] for name in names))

    def classify(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return heads.classification(serving_default(examples))

    def regress(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return heads.regression(serving_default(examples))

    def embed(*texts: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"embedding": classifier.embedding(*texts)}

    def add(name: str, function: Callable, arguments: Sequence[str]) -> None:
        specs = [tf.TensorSpec([None], tf.string, name=argument) for argument in arguments]
        # autograph=False: there is no Python control flow to convert, and converting costs seconds.
        archive.add_endpoint(name, tf.function(function, input_signature=specs, autograph=False))

    add("serving_text", serving_text, names)
    add("embed", embed, names)
    if classifier.config.task == "regression":
        add("regress", regress, ["inputs"])
    else:
        add("classify", classify, ["inputs"])
    for name, function in ({"serving_default": serving_default} | (signatures or {})).items():
        add(name, function, ["examples"])
    archive.write_out(folder, verbose=False)
