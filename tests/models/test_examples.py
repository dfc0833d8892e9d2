"""Tokenized examples in memory: read in a fixed order, taken in any."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from models.examples import Examples

ROWS = [[7, 8, 9], [5], [1, 2], [3, 4, 5, 6]]


def write(path, numbers, weights=None):
    """Writes rows as a shard of transformed examples, each labelled with its number."""
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for number in numbers:
            example = tf.train.Example()
            example.features.feature["token_ids"].int64_list.value.extend(ROWS[number])
            example.features.feature["label_id"].int64_list.value.append(number)
            if weights and number in weights:
                example.features.feature["example_weight"].float_list.value.append(weights[number])
            writer.write(example.SerializeToString())
    return str(path)


def test_reads_gzipped_records_in_the_order_of_the_files_names(tmp_path):
    files = [write(tmp_path / "b.gz", [2, 3]), write(tmp_path / "a.gz", [0, 1])]
    examples = Examples.read(files)
    assert len(examples) == 4
    assert examples.token_ids.tolist() == [id for row in ROWS for id in row]
    assert examples.token_ids.dtype == np.int32
    assert examples.offsets.tolist() == [0, 3, 4, 6, 10]
    assert examples.offsets.dtype == np.int64
    assert examples.labels.tolist() == [0, 1, 2, 3]
    assert examples.labels.dtype == np.int64


@pytest.mark.parametrize("shards", [[], [[]], [[], [0, 1, 2, 3], []]])
def test_empty_files_and_no_files_give_no_examples(tmp_path, shards):
    files = [write(tmp_path / f"{i}.gz", numbers) for i, numbers in enumerate(shards)]
    examples = Examples.read(files)
    assert len(examples) == len(examples.lengths) == sum(map(len, shards))
    assert examples.token_ids.dtype == np.int32
    assert examples.offsets[-1] == len(examples.token_ids)


@hypothesis.given(
    st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=12), min_size=1), st.data()
)
def test_any_examples_in_any_order_make_a_batch(rows, data):
    examples = Examples.from_rows(rows, range(len(rows)))
    taken = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=9))
    length = max(len(rows[i]) for i in taken) + data.draw(st.integers(0, 3))
    batch = examples.padded(np.array(taken), length)
    assert batch["token_ids"].dtype == batch["padding_mask"].dtype == np.int32
    assert batch["token_ids"].tolist() == [rows[i] + [0] * (length - len(rows[i])) for i in taken]
    assert batch["padding_mask"].tolist() == [
        [1] * len(rows[i]) + [0] * (length - len(rows[i])) for i in taken
    ]
    assert batch["label_id"].tolist() == taken
    assert batch["label_id"].dtype == np.int64


def test_rows_of_lists_equal_those_of_files(tmp_path):
    read = Examples.read([write(tmp_path / "a.gz", range(4))])
    made = Examples.from_rows(ROWS, range(4))
    assert made.lengths.tolist() == [3, 1, 2, 4]
    for name in ("token_ids", "offsets", "labels"):
        one, other = getattr(read, name), getattr(made, name)
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()


def test_weights_are_in_the_batch_if_there_are_some(tmp_path):
    weights = {0: 0.5, 1: 2.0, 2: 0.0, 3: 1.0}
    read = Examples.read([write(tmp_path / "a.gz", range(4), weights)])
    made = Examples.from_rows(ROWS, range(4), list(weights.values()))
    for examples in (read, made):
        batch = examples.padded(np.array([3, 1, 1]), 4)
        assert batch["example_weight"].tolist() == [1.0, 2.0, 2.0]
        assert batch["example_weight"].dtype == np.float32
        assert set(examples.spec) == set(batch)
    without = Examples.from_rows(ROWS, range(4))
    assert "example_weight" not in {*without.spec, *without.padded(np.array([0]), 3)}


def test_weights_of_some_examples_are_refused(tmp_path):
    with pytest.raises(ValueError, match="3 of 4 examples have example_weight"):
        Examples.read([write(tmp_path / "a.gz", range(4), {0: 1.0, 1: 1.0, 3: 2.0})])


def test_several_labels_are_marked_and_unknown_ones_left_out(tmp_path):
    found = [[2, 0], [], [-1, 1], [3, 2]]
    with tf.io.TFRecordWriter(str(tmp_path / "a.gz"), "GZIP") as writer:
        for row, ids in zip(ROWS, found, strict=True):
            example = tf.train.Example()
            example.features.feature["token_ids"].int64_list.value.extend(row)
            example.features.feature["label_id"].int64_list.value.extend(ids)
            writer.write(example.SerializeToString())
    examples = Examples.read([str(tmp_path / "a.gz")], "multi_label", 3)
    assert examples.labels.tolist() == [
        [True, False, True],
        [False, False, False],
        [False, True, False],
        [False, False, True],
    ]
    assert examples.label_counts(3).tolist() == [1, 1, 2]
    batch = examples.padded(np.array([3, 0]), 4)
    assert batch["has_class"].tolist() == [[0, 0, 1], [1, 0, 1]]
    assert batch["has_class"].dtype == np.float32
    assert set(examples.spec) == set(batch)
    assert examples.spec["has_class"].shape == [None, 3]
    assert Examples.read([], "multi_label", 3).spec == examples.spec


def test_numbers_are_targets(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "a.gz"), "GZIP") as writer:
        for row, number in zip(ROWS, [0.5, -2.0, 1e6, 0.0], strict=True):
            example = tf.train.Example()
            example.features.feature["token_ids"].int64_list.value.extend(row)
            example.features.feature["target"].float_list.value.append(number)
            writer.write(example.SerializeToString())
    examples = Examples.read([str(tmp_path / "a.gz")], "regression")
    batch = examples.padded(np.array([2, 1]), 4)
    assert batch["target"].tolist() == [1e6, -2.0]
    assert batch["target"].dtype == np.float32
    assert Examples.read([], "regression").spec == examples.spec


def test_counts_labels():
    examples = Examples.from_rows([[5]] * 6, [0, 2, 2, 0, 2, 3])
    assert examples.label_counts(5).tolist() == [2, 0, 3, 1, 0]


@pytest.mark.parametrize("bad", [-1, 3])
def test_a_label_outside_the_classes_is_refused(bad):
    with pytest.raises(ValueError, match=rf"label ids \[{bad}\] are outside 0 … 2"):
        Examples.from_rows([[5]] * 3, [0, bad, 1]).label_counts(3)
