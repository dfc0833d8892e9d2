"""What one update does, as a graph: gradients, sums over parts and replicas, clipping, new weights."""

from collections.abc import Callable, Iterator

import tensorflow as tf

from models.config import TrainingConfig
from models.optimization import Optimizer
from models.precision import LossScale
from models.tasks import Batch, Sums, Task

_SUM = tf.distribute.ReduceOp.SUM
Reports = dict[str, tf.Tensor]


class Updates:
    """The two functions that training calls, under any strategy.

    Gradients are of the *sum* of the loss; they are added over micro-batches and replicas together with its
    weight, divided by it once, and then clipped. So an update does not depend on how its rows are divided.

    Args:
        task: model, loss and metrics; built under the strategy's scope.
        optimizer: of the task's model.
        loss_scale: of the model's precision.
        config: accumulation, clipping, XLA.
        strategy: where the replicas are.
    """

    def __init__(
        self,
        task: Task,
        optimizer: Optimizer,
        loss_scale: LossScale,
        config: TrainingConfig,
        strategy: tf.distribute.Strategy,
    ):
        self._task, self._optimizer, self._loss_scale = task, optimizer, loss_scale
        self._clip_norm = config.optimizer.clip_norm
        self._parts, self._many = config.accumulation_steps, config.steps_per_call > 1
        self._strategy = strategy
        self._gradients = tf.function(
            self._gradients_of, jit_compile=config.xla, reduce_retracing=True, autograph=False
        )
        self._sums = tf.function(
            self._sums_of, jit_compile=config.xla, reduce_retracing=True, autograph=False
        )
        self.train = tf.function(self._train, autograph=False)
        self.evaluate = tf.function(self._evaluate, autograph=False)

    def _train(self, iterator: Iterator, count: tf.Tensor, stop: tf.Tensor) -> Reports:
        """Makes `count` updates.

        Args:
            iterator: of `models.batching.distribute`.
            count: int32 scalar; 1 unless `steps_per_call` is more.
            stop: int32 scalar, above 0 where this process was asked to end.

        Returns:
            float32 [count] each: "learning_rate", "gradient_norm" (before clipping), "tokens", "positions",
            "stop" (processes that were asked to end), "skipped" (1 where float16 overflowed), and the sums
            and weights of the task's metrics, as "sum/NAME" and "weight/NAME".
        """
        return self._repeat(count, lambda: self._run(self._update, next(iterator), stop))

    def _evaluate(self, iterator: Iterator, count: tf.Tensor) -> Reports:
        """Sums over `count` batches, as `_train` names them."""
        return self._repeat(count, lambda: self._run(self._measure, next(iterator)))

    def _run(self, function: Callable[..., Reports], *arguments: object) -> Reports:
        """Runs on all replicas; what they return is equal on each, so the first one's is taken."""
        reports = self._strategy.run(function, args=arguments)
        return {
            name: self._strategy.experimental_local_results(value)[0]
            for name, value in reports.items()
        }

    def _repeat(self, count: tf.Tensor, body: Callable[[], Reports]) -> Reports:
        first = body()
        if not self._many:  # the loop would only be traced in vain
            return {name: value[tf.newaxis] for name, value in first.items()}
        arrays = {
            name: tf.TensorArray(tf.float32, count, element_shape=[]).write(0, value)
            for name, value in first.items()
        }

        def again(i: tf.Tensor, arrays: dict[str, tf.TensorArray]) -> tuple:
            return i + 1, {name: arrays[name].write(i, value) for name, value in body().items()}

        _, arrays = tf.while_loop(lambda i, _: i < count, again, (tf.constant(1), arrays))
        return {name: array.stack() for name, array in arrays.items()}

    # --- In replica context ------------------------------------------------------------------------

    def _update(self, parts: Batch, stop: tf.Tensor) -> Reports:
        sums, gradients = self._accumulated(parts)
        report = _counts(parts) | _flat(sums) | {"stop": tf.cast(stop, tf.float32)}
        gradients, report = _all_reduced(gradients, report)
        divisor = report["weight/loss"] * self._loss_scale.value
        norm = tf.linalg.global_norm(gradients) / divisor
        ok = tf.math.is_finite(norm) & tf.math.is_finite(report["sum/loss"])
        factor = 1 / divisor
        if self._clip_norm is not None:
            factor *= tf.minimum(1.0, self._clip_norm / norm)
        rate = self._optimizer.learning_rate()
        self._optimizer.apply([gradient * factor for gradient in gradients], ok)
        self._loss_scale.update(ok)
        skipped = tf.cast(~ok, tf.float32)
        return report | {"learning_rate": rate, "gradient_norm": norm, "skipped": skipped}

    def _measure(self, parts: Batch) -> Reports:
        _, report = _all_reduced([], _flat(self._sums(_part(parts, 0))))
        return report

    def _accumulated(self, parts: Batch) -> tuple[Sums, list[tf.Tensor]]:
        """Sums and gradients of all parts of this replica's share."""
        totals = self._gradients(_part(parts, 0))
        if self._parts == 1:
            return totals

        def add(i: tf.Tensor, totals: tuple) -> tuple:
            more = self._gradients(_part(parts, i))
            return i + 1, tf.nest.map_structure(tf.add, totals, more)

        return tf.while_loop(lambda i, _: i < self._parts, add, (tf.constant(1), totals))[1]

    def _gradients_of(self, batch: Batch) -> tuple[Sums, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            sums = self._task.sums(batch, training=True)
            loss = sums["loss"][0] * self._loss_scale.value
        gradients = tape.gradient(
            loss, self._optimizer.variables_to_train, unconnected_gradients="zero"
        )
        return sums, [tf.convert_to_tensor(gradient) for gradient in gradients]

    def _sums_of(self, batch: Batch) -> Sums:
        return self._task.sums(batch, training=False)


def _part(parts: Batch, i: tf.Tensor | int) -> Batch:
    return {name: value[i] for name, value in parts.items()}


def _flat(sums: Sums) -> Reports:
    flat: Reports = {}
    for name, (total, weight) in sums.items():
        flat |= {f"sum/{name}": total, f"weight/{name}": weight}
    return flat


def _counts(parts: Batch) -> Reports:
    """Ids of the rows that count, without and with their padding."""
    mask = tf.cast(parts["padding_mask"], tf.float32) * parts["weight"][..., tf.newaxis]
    return {
        "tokens": tf.reduce_sum(mask),
        "positions": tf.cast(tf.size(mask), tf.float32),
    }


def _all_reduced(gradients: list[tf.Tensor], report: Reports) -> tuple[list[tf.Tensor], Reports]:
    """Sums over all replicas, in one call."""
    context = tf.distribute.get_replica_context()
    reduced = context.all_reduce(_SUM, [*gradients, *report.values()])
    return reduced[: len(gradients)], dict(zip(report, reduced[len(gradients) :], strict=True))
