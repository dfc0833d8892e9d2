"""The SavedModel of a text generator."""

import keras
import tensorflow as tf

from models.gpt.text_generator import GENERATE_SIGNATURE, SCORE_SIGNATURE, TextGenerator


def export_generator(generator: TextGenerator, folder: str) -> None:
    """Writes a SavedModel with the signatures `generate`, `score` and `serving_default`.

    `generate` and `score` take and give what `TextGenerator.continuations` and `.likelihoods` do.
    `serving_default(examples: string [n], serialized tf.Example with a "text" feature)` is `score` for
    evaluation and bulk inference.

    All of `generate`'s inputs must be sent, since TensorFlow Serving knows no defaults. Over REST, both forms
    work: `{"inputs": {"prompt": [...], "max_new_tokens": 20, ...}}` with one value for all prompts or a list,
    and `{"instances": [{"prompt": "...", "max_new_tokens": 20, ...}, ...]}` with a value a row.

    See `models.export.export_classifier` for why it is keras.export.ExportArchive that writes, and why
    the model is not tracked: the signatures bring their variables along.

    Args:
        generator: the trained model.
        folder: where the SavedModel goes.
    """
    archive = keras.export.ExportArchive()

    def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"text": tf.io.FixedLenFeature([], tf.string)}
        return generator.likelihoods(tf.io.parse_example(examples, spec)["text"])

    for name, function, signature in (
        (
            "serving_default",
            serving_default,
            {"examples": tf.TensorSpec([None], tf.string, "examples")},
        ),
        ("score", generator.likelihoods, SCORE_SIGNATURE),
        ("generate", generator.continuations, GENERATE_SIGNATURE),
    ):
        specs = list(signature.values())
        archive.add_endpoint(name, tf.function(function, input_signature=specs, autograph=False))
    archive.write_out(folder, verbose=False)
