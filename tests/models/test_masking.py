"""What is masked: never what is reserved, as many as asked for, the same again from the same seed."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from models.config import MaskingConfig
from models.masking import MaskedRows, Masking
from models.sequence_rows import SequenceRows
from models.tokenizer import VocabularyError

RESERVED = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]"]
VOCABULARY = [*RESERVED, "[", "]", *"abcdefgh", "##i", "##j", "##k"]
PAD, UNK, CLS, SEP, MASK = range(5)
PIECES = range(len(RESERVED), len(VOCABULARY))
INNER = st.lists(st.sampled_from([UNK, *PIECES]), max_size=40)
SEQUENCES = st.lists(
    st.builds(lambda a, b: [CLS, *a, SEP, *b, SEP], INNER, INNER), min_size=1, max_size=4
)
ROWS = st.lists(SEQUENCES, min_size=1, max_size=4)


def masking(**settings) -> Masking:
    return Masking(VOCABULARY, MaskingConfig(**settings))


def masked(rows, how, seed=0, length=None, numbers=None):
    """The batch before and after, as arrays."""
    data = SequenceRows.from_sequences(rows)
    numbers = np.arange(len(rows)) if numbers is None else np.asarray(numbers)
    before = data.padded(numbers, length or int(data.lengths.max()))
    seeds = tf.stack([tf.fill(len(numbers), tf.constant(seed, tf.int64)), numbers], 1)
    after = how({name: tf.constant(value) for name, value in before.items()}, seeds)
    return before, {name: value.numpy() for name, value in after.items()}


def guessed(after, row) -> list[int]:
    return after["masked_positions"][row][after["masked_weights"][row] == 1].tolist()


def expected_count(sequence, share, most) -> int:
    maskable = sum(id in PIECES for id in sequence)
    return min(most, max(1, round(share * len(sequence))), maskable)


@hypothesis.given(ROWS, st.integers(0, 9), st.sampled_from([0.1, 0.15, 0.5, 0.99]), st.booleans())
def test_no_reserved_token_and_no_padding_is_masked_or_put_in(rows, seed, share, whole_words):
    how = masking(share=share, whole_words=whole_words)
    before, after = masked(rows, how, seed, length=4 * 90)
    changed = before["token_ids"] != after["token_ids"]
    for row in range(len(rows)):
        positions = guessed(after, row)
        assert positions == sorted(set(positions))
        assert set(before["token_ids"][row][positions]) <= set(PIECES)
        assert set(np.flatnonzero(changed[row])) <= set(positions)
        assert after["masked_ids"][row][: len(positions)].tolist() == (
            before["token_ids"][row][positions].tolist()
        )
        assert not after["masked_weights"][row][len(positions) :].any()
        assert set(after["token_ids"][row][positions]) <= {MASK, *PIECES}
    for name in ("padding_mask", "sequence_ids", "position_ids"):
        np.testing.assert_array_equal(before[name], after[name])


@hypothesis.given(ROWS, st.integers(0, 9), st.sampled_from([0.1, 0.15, 0.5]), st.integers(1, 9))
def test_of_each_sequence_exactly_as_many_as_asked_for(rows, seed, share, most):
    before, after = masked(rows, masking(share=share, max_predictions=most), seed)
    for row, sequences in enumerate(rows):
        owners = before["sequence_ids"][row][guessed(after, row)]
        counts = [int((owners == i + 1).sum()) for i in range(len(sequences))]
        assert counts == [expected_count(sequence, share, most) for sequence in sequences]


def words_of(sequence) -> list[list[int]]:
    """Positions of the pieces of each word."""
    words = []
    for i, id in enumerate(sequence):
        if id not in PIECES:
            continue
        goes_on = VOCABULARY[id].startswith("##") and sequence[i - 1] in PIECES
        words[-1].append(i) if goes_on else words.append([i])
    return words


@hypothesis.given(ROWS, st.integers(0, 9), st.sampled_from([0.15, 0.4]), st.integers(1, 9))
def test_whole_words_are_taken_as_long_as_they_fit(rows, seed, share, most):
    _, after = masked(rows, masking(share=share, max_predictions=most, whole_words=True), seed)
    for row, sequences in enumerate(rows):
        start, positions = 0, set(guessed(after, row))
        for sequence in sequences:
            words = [{start + i for i in word} for word in words_of(sequence)]
            taken = [word for word in words if word & positions]
            assert all(word <= positions for word in taken)
            budget = min(most, max(1, round(share * len(sequence))))
            left = budget - sum(map(len, taken))
            assert left >= 0
            assert not any(len(word) <= left for word in words if word not in taken)
            start += len(sequence)


def test_words_are_taken_in_any_order():
    row = [[CLS, *[8, 16, 17, 9, 10, 18, 11] * 2, SEP]]
    how = masking(share=0.2, whole_words=True)
    seen = {tuple(guessed(masked([row], how, seed)[1], 0)) for seed in range(150)}
    words = words_of(row[0])
    assert len(words) == 8
    for one in range(8):  # budget: 3 tokens
        for other in range(one):
            pair = sorted(words[one] + words[other])
            if len(pair) == 3:
                assert tuple(pair) in seen


def test_the_shares_are_80_10_10_and_every_place_is_as_likely():
    row = [[CLS, *[8, 9, 10, 11] * 10, SEP]]
    data = SequenceRows.from_sequences([row] * 4000)
    before = data.padded(np.arange(4000), 42)
    seeds = np.stack([np.full(4000, 3), np.arange(4000)], 1)
    after = masking()({name: tf.constant(v) for name, v in before.items()}, tf.constant(seeds))
    positions = after["masked_positions"].numpy()[after["masked_weights"].numpy() == 1]
    assert len(positions) == 4000 * 6
    by_place = np.bincount(positions, minlength=42)[1:41]
    assert by_place == pytest.approx(np.full(40, 600), abs=5 * 600**0.5)
    slots = after["masked_weights"].numpy().astype(bool)
    were = after["masked_ids"].numpy()[slots]
    are = np.take_along_axis(after["token_ids"].numpy(), after["masked_positions"].numpy(), axis=1)[
        slots
    ]
    n = len(were)
    random_same = 0.1 / len(PIECES)
    shares = [np.mean(are == MASK), np.mean(are == were), np.mean((are != were) & (are != MASK))]
    for share, expected in zip(shares, [0.8, 0.1 + random_same, 0.1 - random_same], strict=True):
        assert share == pytest.approx(expected, abs=4 * (expected * (1 - expected) / n) ** 0.5)
    put_in = np.bincount(are[(are != were) & (are != MASK)], minlength=len(VOCABULARY))
    assert (put_in[list(PIECES)] > 0).all()


LONG = [[[CLS, *[8, 9, 10, 11, 16] * 8, SEP]] * 2 for _ in range(5)]


@pytest.mark.parametrize("whole_words", [False, True])
def test_a_rows_masks_follow_from_its_seed_alone(whole_words):
    how = masking(whole_words=whole_words)
    _, all_rows = masked(LONG, how, seed=7)
    _, some = masked(LONG, how, seed=7, numbers=[3, 1], length=100)
    for row, number in enumerate([3, 1]):
        assert guessed(some, row) == guessed(all_rows, number)
        np.testing.assert_array_equal(
            some["token_ids"][row, :84], all_rows["token_ids"][number, :84]
        )
    _, other_seed = masked(LONG, how, seed=8)
    assert guessed(other_seed, 0) != guessed(all_rows, 0)
    assert len({tuple(guessed(all_rows, row)) for row in range(5)}) == 5


def transformed(rows, numbers, epoch, seed=1, weight=None):
    batch = rows.padded(np.array(numbers), 90) | {
        "weight": np.ones(len(numbers), np.float32) if weight is None else np.float32(weight)
    }
    how = MaskedRows(rows, masking(), seed)
    batch = {name: tf.constant(value) for name, value in batch.items()}
    return how.transformed(batch, tf.constant(numbers, tf.int64), tf.constant(epoch, tf.int64))


def test_masked_rows_are_masked_anew_in_each_epoch_and_by_each_seed():
    rows = SequenceRows.from_sequences(LONG)
    ids = [
        transformed(rows, [0, 1], *which)["token_ids"].numpy().tolist()
        for which in [(0,), (0,), (1,), (0, 2), (1, 2)]
    ]
    assert ids[0] == ids[1]
    assert all(a != b for i, a in enumerate(ids[1:]) for b in ids[1:][:i])


def test_pairs_are_scaled_to_the_masks_of_the_rows_that_count():
    rows = SequenceRows.from_sequences(LONG, [[20, 42]] * 5, [[1, -1], [0, 1], *[[0, 0]] * 3])
    batch = transformed(rows, [0, 1, 2, 0], 0, weight=[1, 1, 1, 0])
    masks = 3 * 2 * round(0.15 * 42)
    np.testing.assert_allclose(batch["next_scale"], np.full(4, masks / 5), rtol=1e-6)


def test_without_pairs_there_is_nothing_to_scale():
    assert "next_scale" not in transformed(SequenceRows.from_sequences(LONG), [0], 0)
    rows = SequenceRows.from_sequences(LONG, [[42, 42]] * 5, [[-1, -1]] * 5)
    assert transformed(rows, [0], 0)["next_scale"].numpy().tolist() == [0]


def test_a_vocabulary_without_a_mask_is_refused():
    with pytest.raises(VocabularyError, match=r"lacks \[MASK\]"):
        Masking(["[PAD]", "a"], MaskingConfig())
