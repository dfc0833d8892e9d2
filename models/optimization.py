"""Optimizers and learning-rate schedules."""

import keras
import tensorflow as tf

from models.config import OptimizerConfig

# Norms and biases are not decayed (BERT's optimization.py, `exclude_from_weight_decay`).
_NO_DECAY = ("bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="sciformer")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to `peak` over `warmup_steps`, then falls linearly to 0 at `total_steps`."""

    def __init__(self, peak: float, warmup_steps: int, total_steps: int):
        self.peak, self.warmup_steps, self.total_steps = peak, warmup_steps, total_steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The rate of the update that follows `step` finished ones."""
        step = keras.ops.cast(step, "float32")
        rise = (step + 1) / max(self.warmup_steps, 1)
        fall = (self.total_steps - step) / max(self.total_steps - self.warmup_steps, 1)
        return self.peak * keras.ops.clip(keras.ops.minimum(rise, fall), 0.0, 1.0)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
        }


def build_optimizers(
    model: keras.Model, config: OptimizerConfig, total_steps: int
) -> list[tuple[keras.optimizers.Optimizer, list[keras.Variable]]]:
    """Optimizers, each with the variables it updates.

    Args:
        model: variables whose path begins with "head" get `head_learning_rate` where that is set.
        config: rates and decay.
        total_steps: updates in the whole training; the schedule ends at 0 there.

    Returns:
        One pair, or two where the head has a rate of its own. Gradients are clipped to a global norm within
        each pair.
    """
    variables = model.trainable_variables
    if config.head_learning_rate is None:
        groups = [(config.learning_rate, variables)]
    else:
        head = [v for v in variables if v.path.startswith("head")]
        body = [v for v in variables if not v.path.startswith("head")]
        groups = [(config.learning_rate, body), (config.head_learning_rate, head)]
    return [(_adamw(rate, group, config, total_steps), group) for rate, group in groups]


def _adamw(
    rate: float, variables: list[keras.Variable], config: OptimizerConfig, total_steps: int
) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.AdamW(
        learning_rate=WarmupLinearDecay(
            rate, int(config.warmup_fraction * total_steps), total_steps
        ),
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip_norm,
    )
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables if v.name in _NO_DECAY])
    optimizer.build(variables)
    return optimizer
