"""AdamW and LAMB, their schedules and each layer's rate, for any `tf.distribute` strategy.

Why not keras.optimizers:

- It clips the gradient of each replica before it sums them, so that N replicas train otherwise than one. The
  training loop sums, clips once, and hands the result to `Optimizer.apply`.
- It has one rate for all variables: layer-wise decay would need an optimizer a layer.
- It goes over all weights in a dozen separate operations, for every row of a large embedding, each step; here
  TensorFlow's fused `ResourceApplyAdam` updates weights and moments in place, in one pass after the decay.

The constants are those of keras.optimizers, and so is AdamW's result, but for rounding: Keras takes 1 - β₂ as
0.001 in the moment and as 1 - float32(0.999) in its correction, so that its first updates are 6e-6 shorter.
"""

import math
import re
from collections.abc import Sequence

import keras
import tensorflow as tf

from models.config import OptimizerConfig

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7
_EMBEDDINGS = {
    "token_embedding",
    "position_embedding",
    "segment_embedding",
    "embeddings_layer_norm",
}
_ENCODER_LAYER = re.compile(r"transformer_layer_(\d+)")


class Optimizer(tf.Module):
    """Moves a model's weights along gradients that all replicas agree on.

    Everything that training must remember is a tracked variable: `tf.train.Checkpoint(optimizer=…)` saves the
    moments and `step`, and with them the weights themselves. (A `model=…` beside it would save those a second
    time: a Keras variable is a node of its own.)

    Args:
        model: its trainable variables (float32) are the ones updated.
        config: rule, rates and decay.
        total_updates: updates in the whole training; the schedule ends there.

    Attributes:
        variables_to_train: `model.trainable_variables`, as TensorFlow's variables, in that order.
        step: int64 scalar, the number of finished updates.

    To be made under the strategy's scope, where the model was made, so that the moments lie with the weights.
    """

    def __init__(self, model: keras.Model, config: OptimizerConfig, total_updates: int):
        super().__init__(name="optimizer")
        self._config, self._total_updates = config, total_updates
        variables = model.trainable_variables
        self._multipliers = tuple(rate_multipliers([v.path for v in variables], config))
        self._decays = tuple(
            0.0 if v.name in config.no_decay else config.weight_decay for v in variables
        )
        self.variables_to_train = [v.value for v in variables]
        self._means = [_moment("mean", v) for v in variables]
        self._squares = [_moment("square", v) for v in variables]
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    def learning_rate(self) -> tf.Tensor:
        """The schedule's rate of the next update, before each layer's multiplier: float32 scalar."""
        return learning_rate(self.step, self._config, self._total_updates)

    def apply(self, gradients: Sequence[tf.Tensor], ok: tf.Tensor) -> None:
        """Makes one update; to be called in replica context, by all replicas.

        Args:
            gradients: of `variables_to_train`, in that order: dense, float32, reduced over all replicas and
                clipped, so equal on all of them.
            ok: bool scalar, equal on all replicas; False leaves everything, `step` too, as it is. Where it is
                a constant, no condition is put into the graph; XLA copies all that a condition may change.
        """

        def update(strategy: tf.distribute.Strategy, gradients: list, ok: tf.Tensor) -> None:
            weights_and_moments = (self.variables_to_train, self._means, self._squares)
            # One call for all variables, so that each device evaluates and traces one condition only.
            strategy.extended.update(
                self.step, self._update_device, args=(*weights_and_moments, gradients, ok)
            )

        context = tf.distribute.get_replica_context()
        context.merge_call(update, args=(list(gradients), tf.convert_to_tensor(ok)))

    def _update_device(
        self,
        step: tf.Variable,
        variables: Sequence[tf.Variable],
        means: Sequence[tf.Variable],
        squares: Sequence[tf.Variable],
        gradients: Sequence[tf.Tensor],
        ok: tf.Tensor,
    ) -> None:
        rule = {"adamw": _adamw, "lamb": _lamb}[self._config.name]

        def update() -> None:
            number = tf.cast(step + 1, tf.float32)
            schedule = learning_rate(step, self._config, self._total_updates)
            rates = {multiplier: schedule * multiplier for multiplier in set(self._multipliers)}
            powers = (tf.pow(_BETA_1, number), tf.pow(_BETA_2, number))
            for variable, mean, square, gradient, multiplier, decay in zip(
                variables, means, squares, gradients, self._multipliers, self._decays, strict=True
            ):
                rule(variable, mean, square, gradient, powers, rates[multiplier], decay)
            step.assign_add(1)

        known = tf.get_static_value(ok)
        if known is None:
            tf.cond(ok, update, lambda: None)
        elif known:
            update()


def learning_rate(
    step: tf.Tensor | tf.Variable | int, config: OptimizerConfig, total_updates: int
) -> tf.Tensor:
    """The rate of the update that follows `step` finished ones.

    It rises linearly over the first `warmup_fraction` of all updates, (step + 1) / warm-up of the peak, then
    goes down to 0 at `total_updates`, in a line or half a cosine (arXiv 1608.03983, equation 5), or stays.

    Args:
        step: integer scalar.
        config: peak, schedule and warm-up.
        total_updates: where the schedule ends; it keeps its last value after that.

    Returns:
        float32 scalar.
    """
    warmup = int(config.warmup_fraction * total_updates)
    step = tf.cast(step, tf.float32)
    rise = tf.minimum((step + 1) / max(warmup, 1), 1.0)
    progress = tf.clip_by_value((step - warmup) / max(total_updates - warmup, 1), 0.0, 1.0)
    if config.schedule == "linear":
        fall = 1 - progress
    elif config.schedule == "cosine":
        fall = (1 + tf.cos(math.pi * progress)) / 2
    else:
        fall = tf.ones_like(progress)
    return config.learning_rate * tf.minimum(rise, fall)


def rate_multipliers(paths: Sequence[str], config: OptimizerConfig) -> list[float]:
    """What each variable's rate is, as a multiple of `config.learning_rate`.

    With layer decay d and n encoder layers (arXiv 2003.10555, appendix A): d^(n - i) for
    `transformer_layer_i`, counted from 0, so d^1 for the last one; d^(n + 1) for the embeddings and their
    norm. Everything outside the backbone is the head, of which d is no part: `head_learning_rate`.

    Args:
        paths: variables' paths, with the layer names of `models.backbone`. Layers are counted in them.
        config: rates and layer decay.

    Returns:
        One float a path.
    """
    head = (config.head_learning_rate or config.learning_rate) / config.learning_rate
    heights = [_height(path) for path in paths]
    top = max((height for height in heights if height is not None), default=0) + 1
    return [head if height is None else config.layer_decay ** (top - height) for height in heights]


def _height(path: str) -> int | None:
    """0 for embeddings, i + 1 for encoder layer i, None for what is not of the backbone."""
    for part in path.split("/"):
        if part in _EMBEDDINGS:
            return 0
        if match := _ENCODER_LAYER.fullmatch(part):
            return int(match[1]) + 1
    return None


def _moment(name: str, variable: keras.Variable) -> tf.Variable:
    return tf.Variable(tf.zeros(variable.shape), trainable=False, name=f"{variable.path}/{name}")


def _adamw(
    variable: tf.Variable,
    mean: tf.Variable,
    square: tf.Variable,
    gradient: tf.Tensor,
    powers: tuple[tf.Tensor, tf.Tensor],
    rate: tf.Tensor,
    decay: float,
) -> None:
    """Adam (arXiv 1412.6980, with the epsilon of the end of its section 2) after decoupled decay (arXiv
    1711.05101), rate times decay as in Keras and PyTorch.
    """
    if decay:
        variable.assign_sub(variable * (rate * decay))
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=mean.handle,
        v=square.handle,
        beta1_power=powers[0],
        beta2_power=powers[1],
        lr=rate,
        beta1=_BETA_1,
        beta2=_BETA_2,
        epsilon=_EPSILON,
        grad=gradient,
    )


def _lamb(
    variable: tf.Variable,
    mean: tf.Variable,
    square: tf.Variable,
    gradient: tf.Tensor,
    powers: tuple[tf.Tensor, tf.Tensor],
    rate: tf.Tensor,
    decay: float,
) -> None:
    """Algorithm 2 of arXiv 1904.00962 with φ(x) = x. Its decay is part of the update whose norm is taken;
    keras.optimizers.Lamb shrinks the weights beforehand instead.
    """
    mean.assign_add((gradient - mean) * (1 - tf.constant(_BETA_1)))
    square.assign_add((gradient**2 - square) * (1 - tf.constant(_BETA_2)))
    update = (mean / (1 - powers[0])) / (tf.sqrt(square / (1 - powers[1])) + _EPSILON)
    if decay:
        update += decay * variable
    weight_norm, update_norm = tf.norm(variable), tf.norm(update)
    trust = tf.where(
        (weight_norm > 0) & (update_norm > 0), tf.math.divide_no_nan(weight_norm, update_norm), 1.0
    )
    variable.assign_sub(rate * trust * update)
