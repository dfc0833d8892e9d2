"""Every example once an epoch, in batches of like length."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from models.batching import bucketed, read_examples, scan

MAX_LENGTH = 128
LENGTHS = st.lists(st.integers(2, MAX_LENGTH), max_size=40)


def dataset(lengths, label_ids=None) -> tf.data.Dataset:
    """Examples whose first id is their number, the rest 9s; two rows an element, as read from a file."""
    rows = [[number, *[9] * (length - 1)] for number, length in enumerate(lengths)]
    return tf.data.Dataset.from_tensor_slices(
        {
            "token_ids": tf.ragged.constant(rows, dtype=tf.int32, ragged_rank=1),
            "label_id": tf.constant(label_ids or [0] * len(rows), tf.int64),
        }
    ).batch(2)


def batches(*args, **kwargs) -> list[dict[str, np.ndarray]]:
    return list(bucketed(*args, **kwargs).as_numpy_iterator())


def order(batch_list) -> list[int]:
    return [int(number) for batch in batch_list for number in batch["token_ids"][:, 0]]


@hypothesis.given(LENGTHS.filter(bool), st.integers(1, 8))
@hypothesis.settings(max_examples=40)
def test_each_example_once_and_as_many_batches_as_scan_says(lengths, batch_size):
    examples = dataset(lengths)
    found = batches(examples, batch_size, MAX_LENGTH)
    scanned = scan(examples, batch_size, num_classes=1)

    assert sorted(order(found)) == list(range(len(lengths)))
    assert scanned.batches == len(found)
    assert scanned.examples == len(lengths)
    assert scanned.tokens == sum(lengths)
    for batch in found:
        own = [lengths[number] for number in batch["token_ids"][:, 0]]
        assert len(own) <= batch_size
        assert batch["token_ids"].shape == batch["padding_mask"].shape == (len(own), max(own))
        assert batch["padding_mask"].sum(axis=1).tolist() == own
        assert np.all(batch["padding_mask"][:, 1:] <= batch["padding_mask"][:, :-1])
        assert np.all((batch["token_ids"][:, 1:] == 9) == (batch["padding_mask"][:, 1:] == 1))
        assert max(own) - min(own) < 32
        assert (max(own) - 1) // 32 == (min(own) - 1) // 32


@pytest.mark.parametrize("max_length", [8, 32, 33, 64, 65, 512])
def test_the_longest_example_has_a_bucket(max_length):
    lengths = [2, max_length, max_length - 1, 2]
    examples = dataset(lengths)
    found = batches(examples, 2, max_length)
    assert sorted(order(found)) == [0, 1, 2, 3]
    assert scan(examples, 2, 1).batches == len(found)


def test_without_a_seed_the_order_is_that_of_the_files():
    assert order(batches(dataset([5] * 20), 4, MAX_LENGTH)) == list(range(20))


def test_a_seed_gives_one_order_and_another_each_epoch():
    examples = dataset([5] * 50)

    def two_epochs(seed):
        shuffled = bucketed(examples, 4, MAX_LENGTH, shuffle_seed=seed)
        return [order(shuffled.as_numpy_iterator()) for _ in range(2)]

    first, again, other = two_epochs(3), two_epochs(3), two_epochs(4)
    assert first == again
    assert sorted(first[0]) == sorted(first[1]) == list(range(50))
    assert first[0] != first[1]
    assert first[0] != list(range(50))
    assert other[0] != first[0]


def test_seed_0_shuffles_too():
    assert order(batches(dataset([5] * 50), 4, MAX_LENGTH, shuffle_seed=0)) != list(range(50))


def test_labels_stay_with_their_examples():
    lengths, labels = [3, 90, 4, 50, 3], [0, 1, 2, 3, 4]
    for batch in batches(dataset(lengths, labels), 2, MAX_LENGTH, shuffle_seed=1):
        assert batch["label_id"].tolist() == batch["token_ids"][:, 0].tolist()


def test_scan_counts_labels():
    assert scan(dataset([5] * 6, [0, 2, 2, 0, 2, 3]), 4, 5).label_counts.tolist() == [2, 0, 3, 1, 0]


@pytest.mark.parametrize("bad", [-1, 3])
def test_a_label_outside_the_classes_is_refused(bad):
    with pytest.raises(ValueError, match=rf"label ids \[{bad}\] are outside 0 … 2"):
        scan(dataset([5, 5, 5], [0, bad, 1]), 4, num_classes=3)


def test_an_empty_split_has_no_batches():
    empty = dataset([5, 5]).take(0)
    assert scan(empty, 4, 2).batches == 0
    assert batches(empty, 4, MAX_LENGTH) == []


def test_reads_gzipped_records_in_the_files_order(tmp_path):
    rows = [[7, 8, 9], [5], [1, 2], [3, 4, 5, 6]]
    for shard in (1, 0):
        path = str(tmp_path / f"examples-{shard}.gz")
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            for number in (2 * shard, 2 * shard + 1):
                example = tf.train.Example()
                example.features.feature["token_ids"].int64_list.value.extend(rows[number])
                example.features.feature["label_id"].int64_list.value.append(number)
                writer.write(example.SerializeToString())
    files = [str(tmp_path / "examples-1.gz"), str(tmp_path / "examples-0.gz")]
    [element] = read_examples(files)
    assert element["token_ids"].dtype == tf.int32
    assert element["token_ids"].to_list() == rows
    assert element["label_id"].numpy().tolist() == [0, 1, 2, 3]
    assert sorted(len(b["label_id"]) for b in batches(read_examples(files), 3, 8)) == [1, 3]


def test_most_of_the_padding_is_saved():
    lengths = np.random.default_rng(0).integers(2, MAX_LENGTH, 100).tolist()
    cells = sum(batch["token_ids"].size for batch in batches(dataset(lengths), 8, MAX_LENGTH))
    assert cells < 1.35 * sum(lengths)
    assert len(lengths) * MAX_LENGTH > 1.7 * sum(lengths)
