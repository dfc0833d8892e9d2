"""Which tokens a BERT has to guess: drawn anew in each epoch, the same again from the same seed."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from models.config import MaskingConfig
from models.examples import Rows
from models.tokenizer import VocabularyError

MASK = "[MASK]"
_SLOTS_MULTIPLE = 8  # of masks a row, so that shapes repeat (XLA compiles for each)

Batch = dict[str, tf.Tensor]


class Masking:
    """Masks tokens as in arXiv 1810.04805, section 3.1 and appendix A.1.

    Of each sequence `min(max_predictions, max(1, round(share · length)))` tokens are to be guessed; of them,
    each by itself, 80 % become [MASK], 10 % a random piece, and 10 % stay. With whole words, the pieces of a
    word are all taken or none; words are taken in random order, and one that would exceed the count is passed
    over (Google's `create_masked_lm_predictions`). Reserved tokens ("[CLS]", "[unused7]", …) are neither
    guessed nor put in; unlike Google's, that holds for "[UNK]", too.

    Args:
        vocabulary: tokens by id.
        config: how many, and whether whole words.

    Raises:
        VocabularyError: the vocabulary has no [MASK], or no piece.
    """

    def __init__(self, vocabulary: Sequence[str], config: MaskingConfig):
        if MASK not in vocabulary:
            raise VocabularyError(f"the vocabulary lacks {MASK}: no masked language model without")
        self._config = config
        self._mask_id = list(vocabulary).index(MASK)
        # BERT splits punctuation off, so that no piece of a text looks like this.
        reserved = [len(t) > 2 and t.startswith("[") and t.endswith("]") for t in vocabulary]
        self._is_piece = ~np.array(reserved)
        self._continues = np.array([token.startswith("##") for token in vocabulary])
        self._pieces = np.flatnonzero(self._is_piece).astype(np.int32)
        if not len(self._pieces):
            raise VocabularyError("the vocabulary has reserved tokens only")

    def __call__(self, batch: Batch, seeds: tf.Tensor) -> Batch:
        """Masks a batch.

        Args:
            batch: with `token_ids`, `sequence_ids` and `position_ids`, int32 [n, length], as
                `models.sequence_rows` gives them.
            seeds: int64 [n, 2]; what happens to a row follows from its seed and its ids, not from its padding
                or the other rows.

        Returns:
            The batch with masks in `token_ids` and with `masked_positions` and `masked_ids`, int32
            [n, masks], and `masked_weights`, float32 [n, masks] (0 where a row has fewer).
        """
        token_ids = batch["token_ids"]
        draws = _draws(seeds, tf.shape(token_ids)[1])
        scores, fates, replacements = tf.unstack(tf.cast(draws, tf.int64), axis=-1)
        chosen = self._choose(token_ids, batch["sequence_ids"], batch["position_ids"], scores)
        random_ids = tf.gather(tf.constant(self._pieces), replacements % len(self._pieces))
        share = tf.cast(fates, tf.float64) / 2**32
        fated = tf.where(share < 0.8, self._mask_id, tf.where(share < 0.9, random_ids, token_ids))

        positions = tf.ragged.boolean_mask(_columns(token_ids), chosen)
        counts = tf.cast(positions.row_lengths(), tf.int32)
        most = tf.reduce_max(counts)
        more = -most % _SLOTS_MULTIPLE
        positions = tf.pad(positions.to_tensor(), [[0, 0], [0, more]])
        is_mask = tf.sequence_mask(counts, most + more)
        return batch | {
            "token_ids": tf.where(chosen, fated, token_ids),
            "masked_positions": positions,
            "masked_ids": tf.gather(token_ids, positions, batch_dims=1)
            * tf.cast(is_mask, tf.int32),
            "masked_weights": tf.cast(is_mask, tf.float32),
        }

    def _choose(
        self,
        token_ids: tf.Tensor,
        sequence_ids: tf.Tensor,
        position_ids: tf.Tensor,
        scores: tf.Tensor,
    ) -> tf.Tensor:
        """Bool [n, length]: the tokens to guess.

        All sequences at once: tokens are sorted by (sequence, their word's score). A sequence stands at the
        same places before and after, since padding is last in a row.
        """
        candidates = tf.gather(tf.constant(self._is_piece), token_ids) & (sequence_ids > 0)
        words = _Words.of(candidates, self._begins(token_ids, candidates), position_ids)
        last = tf.cast(tf.shape(token_ids)[1], tf.int64) + 1
        sequence = tf.cast(
            tf.where(sequence_ids > 0, tf.cast(sequence_ids, tf.int64), last), tf.int64
        )
        score = tf.gather(scores, words.numbers, batch_dims=1)
        keys = (sequence * 2 + tf.cast(~candidates, tf.int64)) * 2**32 + score
        order = tf.argsort(keys, axis=1, stable=True)
        budget = self._budgets(sequence_ids)
        taken = _take(
            tf.gather(candidates, order, batch_dims=1),
            tf.gather(words.sizes, order, batch_dims=1),
            tf.gather(words.offsets, order, batch_dims=1),
            sequence_ids,
            budget,
        )
        return tf.gather(taken, tf.argsort(order, axis=1), batch_dims=1)

    def _begins(self, token_ids: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """Bool [n, length]: where words begin; every token is one unless whole words are wanted."""
        if not self._config.whole_words:
            return candidates
        after_piece = tf.pad(candidates[:, :-1], [[0, 0], [1, 0]])
        continues = tf.gather(tf.constant(self._continues), token_ids) & after_piece
        return candidates & ~continues

    def _budgets(self, sequence_ids: tf.Tensor) -> tf.Tensor:
        """int32 [n, length]: how many tokens of each token's sequence are to be guessed."""
        lengths = _sums(tf.ones_like(sequence_ids), sequence_ids)
        # In float64, so that it rounds as Python does.
        wanted = tf.round(tf.cast(lengths, tf.float64) * self._config.share)
        return tf.clip_by_value(tf.cast(wanted, tf.int32), 1, self._config.max_predictions)


@dataclasses.dataclass
class _Words:
    """For each token, int32 [n, length]: the number of its word in the row, that word's pieces, and which of
    them it is. Nothing of it counts where there is no candidate.
    """

    numbers: tf.Tensor
    sizes: tf.Tensor
    offsets: tf.Tensor

    @classmethod
    def of(cls, candidates: tf.Tensor, begins: tf.Tensor, position_ids: tf.Tensor) -> "_Words":
        numbers = tf.maximum(tf.cumsum(tf.cast(begins, tf.int32), axis=1) - 1, 0)
        sizes = _sums(tf.cast(candidates, tf.int32), numbers)
        starts = _sums(tf.where(begins, position_ids, 0), numbers)
        return cls(numbers, sizes, position_ids - starts)


def _take(
    alive: tf.Tensor, sizes: tf.Tensor, offsets: tf.Tensor, sequence_ids: tf.Tensor, room: tf.Tensor
) -> tf.Tensor:
    """Takes words from the front as long as they fit, and passes over those that do not.

    A word that does not fit once never will, so each round takes all words before the first that does not
    fit, and drops what is larger than the room left: as many rounds as words have different sizes, at most.

    Args:
        alive: bool [n, length], tokens that may be taken, their words' pieces side by side.
        sizes: int32 [n, length], pieces of the token's word.
        offsets: int32 [n, length], which piece of it the token is.
        sequence_ids: int32 [n, length].
        room: int32 [n, length], tokens that its sequence has room for.

    Returns:
        bool [n, length].
    """

    def take_more(alive: tf.Tensor, room: tf.Tensor, taken: tf.Tensor) -> tuple:
        before = _cumulative(tf.cast(alive, tf.int32), sequence_ids)
        fits = alive & (before - offsets + sizes <= room)
        room -= _sums(tf.cast(fits, tf.int32), sequence_ids)
        return alive & ~fits & (sizes <= room), room, taken | fits

    return tf.while_loop(
        lambda alive, *_: tf.reduce_any(alive),
        take_more,
        (alive & (sizes <= room), room, tf.zeros_like(alive)),
    )[2]


def _cumulative(values: tf.Tensor, sequence_ids: tf.Tensor) -> tf.Tensor:
    """int32 [n, length]: sums of the values before each token in its sequence."""
    sums = tf.cumsum(values, axis=1, exclusive=True)
    begins = tf.pad(sequence_ids[:, 1:] != sequence_ids[:, :-1], [[0, 0], [1, 0]])
    # The greatest sum at a beginning so far, as sums only rise: that of the beginning of this sequence.
    at_begin = tf.where(begins, sums, 0)
    return sums - _sums(at_begin, sequence_ids)


def _sums(values: tf.Tensor, groups: tf.Tensor) -> tf.Tensor:
    """int32 [n, length]: for each token the sum over its row's tokens of its group (numbers < 2 · length)."""
    n, length = tf.unstack(tf.shape(values))
    numbers = groups + 2 * length * tf.range(n)[:, tf.newaxis]
    totals = tf.math.unsorted_segment_sum(values, numbers, 2 * n * length)
    return tf.gather(totals, numbers)


def _columns(like: tf.Tensor) -> tf.Tensor:
    return tf.broadcast_to(tf.range(tf.shape(like)[1]), tf.shape(like))


def _draws(seeds: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """uint32 [n, length, 3]; a longer row begins with the same numbers."""
    return tf.map_fn(
        lambda seed: tf.random.stateless_uniform(
            tf.stack([length, 3]), seed, None, None, tf.uint32, alg="philox"
        ),
        seeds,
        fn_output_signature=tf.TensorSpec([None, 3], tf.uint32),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class MaskedRows(Rows):
    """Rows that are masked anew in each epoch.

    Attributes:
        rows: what is masked.
        masking: how.
        seed: the same gives the same masks; so do the same row and epoch, in whatever batch.
    """

    rows: Rows
    masking: Masking
    seed: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> np.ndarray:
        """Ids of each row, int64 [rows]."""
        return self.rows.lengths

    @property
    def spec(self) -> dict[str, tf.TensorSpec]:
        """See `padded`."""
        return self.rows.spec

    def padded(self, rows: np.ndarray, length: int) -> dict[str, np.ndarray]:
        """Unmasked rows as a batch."""
        return self.rows.padded(rows, length)

    def transformed(self, batch: Batch, rows: tf.Tensor, epoch: tf.Tensor) -> Batch:
        """Masks the batch.

        Returns:
            What `Masking` returns and `next_scale`, float32 [n]: masks a labelled sentence pair, in the whole
            batch, by which `models.tasks.BertPretraining` weighs the pairs.
        """
        seeds = tf.stack([tf.fill(tf.shape(rows), self.seed * 2**32 + epoch), rows], axis=1)
        masked = self.masking(batch, seeds)
        if "next_label" not in masked:
            return masked
        counts = masked["weight"][:, tf.newaxis]
        masks = tf.reduce_sum(masked["masked_weights"] * counts)
        pairs = tf.reduce_sum(tf.cast(masked["next_label"] >= 0, tf.float32) * counts)
        scale = tf.math.divide_no_nan(masks, pairs)
        return masked | {"next_scale": tf.fill(tf.shape(rows), scale)}
