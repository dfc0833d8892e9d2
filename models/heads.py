"""What a classifier's logits mean: its answers, as every way out of a model gives them."""

import tensorflow as tf

from models.config import DECISION, ClassifierConfig


def answers(config: ClassifierConfig, logits: tf.Tensor) -> dict[str, tf.Tensor]:
    """Turns logits into what is served.

    Args:
        config: of the classifier.
        logits: float32 [n, outputs].

    Returns:
        Of single_label: `label` (string [n]), `probabilities` (float32 [n, classes], a row's sum is 1) and
        `classes` (string [n, classes], the same names in every row). Of multi_label: `probabilities` (each
        class's own), `classes` and `is_answer` (bool [n, classes]: a probability of at least 1/2). Of
        regression: `value` (float32 [n], in the label's own units).
    """
    if config.task == "regression":
        assert config.target is not None  # ClassifierConfig has seen to it
        return {"value": logits[:, 0] * config.target.deviation + config.target.mean}
    classes = tf.constant(list(config.classes))
    every = tf.repeat(classes[tf.newaxis], tf.shape(logits)[0], axis=0)
    if config.task == "multi_label":
        probabilities = tf.sigmoid(logits)
        decided = probabilities >= DECISION
        return {"probabilities": probabilities, "classes": every, "is_answer": decided}
    probabilities = tf.nn.softmax(logits)
    label = tf.gather(classes, tf.argmax(probabilities, axis=-1))
    return {"label": label, "probabilities": probabilities, "classes": every}
