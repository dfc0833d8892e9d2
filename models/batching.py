"""Which examples make a batch: a pure function of the lengths, the seed and the epoch.

The input position of a training is therefore a number: nothing of a reader has to be saved, and any number of
replicas divides the same batches.
"""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from models.examples import Rows

LENGTH_MULTIPLE = 8  # rows are padded to a multiple of it; what oneDNN and tensor cores like


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """The batches of every epoch.

    Rows are sorted by length, rounded up, and cut into batches; rows of one rounded length stand in random
    order, and so do the batches. All epochs thus have batches of the same shapes.

    Args:
        lengths: int [examples], ids of each.
        batch_size: rows of a batch; the one of the shortest rows may have fewer.
        tokens_per_batch: or as many rows as fit in so many ids, padding included, but at least one.
        seed: of the orders; None keeps the batches sorted, the longest rows first.
    """

    lengths: np.ndarray
    batch_size: int | None = None
    tokens_per_batch: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if (self.batch_size is None) == (self.tokens_per_batch is None):
            raise ValueError("give either batch_size or tokens_per_batch")

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self._cuts)

    def length(self, rows: np.ndarray) -> int:
        """What the batch of these examples is padded to."""
        return int(_rounded(self.lengths[rows].max()))

    def epoch(self, number: int) -> list[np.ndarray]:
        """The batches of epoch `number`, each an int64 array of examples."""
        tie_breaker = np.arange(len(self.lengths))
        if self.seed is not None:
            generator = np.random.default_rng([self.seed, number])
            tie_breaker = generator.permutation(len(self.lengths))
        order = np.lexsort([tie_breaker, -_rounded(self.lengths)])
        batches = np.split(order, self._cuts[1:]) if len(self._cuts) else []
        if self.seed is not None:
            batches = [batches[i] for i in generator.permutation(len(batches))]
        return batches

    @functools.cached_property
    def _cuts(self) -> list[int]:
        """Where batches begin in the rows sorted by falling length; equal in every epoch."""
        count = len(self.lengths)
        if self.batch_size:
            return list(range(0, count, self.batch_size))
        assert self.tokens_per_batch  # one of the two is given
        budget, lengths = self.tokens_per_batch, np.sort(_rounded(self.lengths))[::-1]
        cuts, start = [], 0
        while start < count:
            cuts.append(start)
            start += max(1, budget // int(lengths[start]))
        return cuts


def _rounded(lengths: np.ndarray) -> np.ndarray:
    return -(-lengths // LENGTH_MULTIPLE) * LENGTH_MULTIPLE


def filled(rows: np.ndarray, multiple: int) -> tuple[np.ndarray, np.ndarray]:
    """Repeats a batch's first row until the number of rows is a multiple.

    Returns:
        The rows, int64 [n], and their weights, float32 [n]: 1, or 0 of a repeated row.
    """
    filler = -len(rows) % multiple
    weight = np.repeat(np.array([1, 0], np.float32), [len(rows), filler])
    return np.concatenate([rows, np.repeat(rows[:1], filler)]), weight


def micro_batches(batch: dict[str, tf.Tensor], replicas: int, parts: int) -> dict[str, tf.Tensor]:
    """Divides a batch among replicas, and each share into parts that are worked on one after the other.

    Args:
        batch: tensors [n, …]; n is a multiple of replicas · parts.
        replicas: how many there are.
        parts: of each replica's share.

    Returns:
        The tensors as [replicas, parts, n / (replicas · parts), …].
    """
    return {
        name: tf.reshape(value, [replicas, parts, -1, *tf.unstack(tf.shape(value)[1:])])
        for name, value in batch.items()
    }


def distribute(
    strategy: tf.distribute.Strategy,
    examples: Rows,
    plan: Plan,
    parts: int = 1,
    start: int = 0,
) -> Iterator:
    """An endless iterator over the plan's batches for `strategy.run`, each replica getting its share.

    A batch is made, and transformed, as a whole before it is divided: what comes of a row does not depend on
    how many replicas there are, at the price that each worker makes the others' rows, too.

    Args:
        strategy: where the replicas are.
        examples: what the plan was made of.
        plan: the batches.
        parts: see `micro_batches`.
        start: batches, counted over all epochs, that are passed over.

    Returns:
        For each replica what `examples.transformed` returns, and `weight`, as [parts, rows, …].
    """

    def for_pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        """The batches of one worker's replicas, an element for each in turn."""
        replicas = context.num_replicas_in_sync
        local = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * local

        def generate() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray, int]]:
            epoch, passed = divmod(start, len(plan))
            while True:
                for rows in plan.epoch(epoch)[passed:]:
                    length = plan.length(rows)
                    rows, weight = filled(rows, replicas * parts)
                    yield examples.padded(rows, length) | {"weight": weight}, rows, epoch
                epoch, passed = epoch + 1, 0

        def shares(
            batch: dict[str, tf.Tensor], rows: tf.Tensor, epoch: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            divided = micro_batches(examples.transformed(batch, rows, epoch), replicas, parts)
            return {name: value[first : first + local] for name, value in divided.items()}

        batches = tf.data.Dataset.from_generator(
            generate,
            output_signature=(
                examples.spec | {"weight": tf.TensorSpec([None], tf.float32)},
                tf.TensorSpec([None], tf.int64),
                tf.TensorSpec([], tf.int64),
            ),
        )
        dataset = batches.map(shares, num_parallel_calls=tf.data.AUTOTUNE).unbatch()
        # Said to be endless, which it is: for others tf.distribute asks all workers before each batch
        # whether they still have one.
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return dataset.apply(endless).prefetch(4 * local)

    return iter(strategy.distribute_datasets_from_function(for_pipeline))
