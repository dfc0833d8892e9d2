"""Which examples make a batch: a pure function of the lengths, the seed and the epoch.

The input position of a training is therefore a number: nothing of a reader has to be saved, and any number of
replicas divides the same batches.
"""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from models.examples import Examples

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


def micro_batches(
    examples: Examples, rows: np.ndarray, length: int, replicas: int, parts: int
) -> list[dict[str, np.ndarray]]:
    """Divides one batch among replicas, and each share into parts that are worked on one after the other.

    All have the same number of rows: where they do not come out even, the first row is repeated with
    weight 0.

    Returns:
        For each replica `{"token_ids": int32 [parts, n, length], "padding_mask": int32 [parts, n, length],
        "label_id": int64 [parts, n], "weight": float32 [parts, n] (1, or 0 of a repeated row)}`.
    """
    share = -(-len(rows) // (replicas * parts))
    filler = replicas * parts * share - len(rows)
    batch = examples.padded(np.concatenate([rows, np.repeat(rows[:1], filler)]), length)
    batch["weight"] = np.repeat(np.array([1, 0], np.float32), [len(rows), filler])
    shaped = {
        name: value.reshape(replicas, parts, share, *value.shape[1:])
        for name, value in batch.items()
    }
    return [{name: value[i] for name, value in shaped.items()} for i in range(replicas)]


def distribute(
    strategy: tf.distribute.Strategy,
    examples: Examples,
    plan: Plan,
    parts: int = 1,
    start: int = 0,
) -> Iterator:
    """An endless iterator over the plan's batches for `strategy.run`, each replica getting its share.

    Args:
        strategy: where the replicas are.
        examples: what the plan was made of.
        plan: the batches.
        parts: see `micro_batches`.
        start: batches, counted over all epochs, that are passed over.
    """

    def for_pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        """The batches of one worker's replicas, an element for each in turn."""
        replicas = context.num_replicas_in_sync
        local = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * local

        def generate() -> Iterator[dict[str, np.ndarray]]:
            epoch, passed = divmod(start, len(plan))
            while True:
                for rows in plan.epoch(epoch)[passed:]:
                    shares = micro_batches(examples, rows, plan.length(rows), replicas, parts)
                    yield from shares[first : first + local]
                epoch, passed = epoch + 1, 0

        dataset = tf.data.Dataset.from_generator(generate, output_signature=_SIGNATURE)
        # Said to be endless, which it is: for others tf.distribute asks all workers before each batch
        # whether they still have one.
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return dataset.apply(endless).prefetch(4 * local)

    return iter(strategy.distribute_datasets_from_function(for_pipeline))


_SIGNATURE = {
    "token_ids": tf.TensorSpec([None, None, None], tf.int32),
    "padding_mask": tf.TensorSpec([None, None, None], tf.int32),
    "label_id": tf.TensorSpec([None, None], tf.int64),
    "weight": tf.TensorSpec([None, None], tf.float32),
}
