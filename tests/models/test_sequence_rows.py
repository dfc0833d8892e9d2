"""Pretraining rows: read in a fixed order, laid out as their sequences ask."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from models.sequence_rows import RowsError, SequenceRows

ROWS = [[[2, 7, 3]], [[2, 8, 3, 9, 3], [2, 3]], [[2, 5, 6, 3]]]
SECONDS = [[3], [3, 2], [2]]
LABELS = [[-1], [1, -1], [0]]
FIELDS = (
    "token_ids",
    "offsets",
    "sequence_lengths",
    "sequence_offsets",
    "second_starts",
    "is_random_next",
)


def features(number, segments=True) -> dict[str, list[int]]:
    lists = {
        "token_ids": [id for sequence in ROWS[number] for id in sequence],
        "sequence_lengths": [len(sequence) for sequence in ROWS[number]],
    }
    if segments:
        lists |= {"second_starts": SECONDS[number], "is_random_next": LABELS[number]}
    return lists


def write(path, rows) -> str:
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for row in rows:
            example = tf.train.Example()
            for name, values in row.items():
                example.features.feature[name].int64_list.value.extend(values)
            example.features.feature["document_keys"].bytes_list.value.append(b"12")
            writer.write(example.SerializeToString())
    return str(path)


def assert_equal(one: SequenceRows, other: SequenceRows) -> None:
    for name in FIELDS:
        a, b = getattr(one, name), getattr(other, name)
        if b is None:
            assert a is None
        else:
            assert a.dtype == b.dtype
            assert a.tolist() == b.tolist()


@pytest.mark.parametrize("segments", [True, False])
def test_reads_gzipped_records_in_the_order_of_the_files_names(tmp_path, segments):
    files = [
        write(tmp_path / name, [features(number, segments) for number in numbers])
        for name, numbers in (("b.gz", [1, 2]), ("a.gz", [0]), ("c.gz", []))
    ]
    read = SequenceRows.read(files)
    assert len(read) == 3
    assert read.lengths.tolist() == [3, 7, 4]
    assert read.token_ids.dtype == np.int32
    extra = (SECONDS, LABELS) if segments else ()
    assert_equal(read, SequenceRows.from_sequences(ROWS, *extra))
    assert read.has_pairs == segments


def test_ids_stay_in_a_file_until_they_are_used(tmp_path):
    read = SequenceRows.read([write(tmp_path / "x.gz", [features(0), features(1)])])
    assert isinstance(read.token_ids, np.memmap)
    assert not read.token_ids.flags.writeable


def test_no_files_give_no_rows():
    assert len(SequenceRows.read([])) == len(SequenceRows.read([]).lengths) == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"sequence_lengths": [5, 1]},
        {"sequence_lengths": []},
        {"second_starts": [3]},
        {"token_ids": []},
    ],
)
def test_rows_that_contradict_themselves_are_told_with_file_and_row(tmp_path, bad):
    file = write(tmp_path / "x.gz", [features(0), features(1) | bad])
    with pytest.raises(RowsError, match=r"x\.gz, row 1: .* generate the examples again"):
        SequenceRows.read([file])


def test_lays_out_rows_as_the_sequences_ask():
    batch = SequenceRows.from_sequences(ROWS, SECONDS, LABELS).padded(np.array([1, 0]), 8)
    expected = {
        "token_ids": [[2, 8, 3, 9, 3, 2, 3, 0], [2, 7, 3, 0, 0, 0, 0, 0]],
        "padding_mask": [[1] * 7 + [0], [1] * 3 + [0] * 5],
        "sequence_ids": [[1] * 5 + [2] * 2 + [0], [1] * 3 + [0] * 5],
        "position_ids": [[0, 1, 2, 3, 4, 0, 1, 0], [0, 1, 2, 0, 0, 0, 0, 0]],
        "segment_ids": [[0, 0, 0, 1, 1, 0, 0, 0], [0] * 8],
        "first_positions": [[0, 5], [0, 0]],
        "next_label": [[1, -1], [-1, -1]],
    }
    assert {name: value.tolist() for name, value in batch.items()} == expected


@hypothesis.given(
    st.lists(
        st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=9), min_size=1, max_size=4),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
    st.data(),
)
def test_any_rows_in_any_order_make_a_batch(rows, segments, data):
    seconds = [[data.draw(st.integers(0, len(s))) for s in row] for row in rows]
    labels = [[data.draw(st.integers(-1, 1)) for _ in row] for row in rows]
    made = SequenceRows.from_sequences(rows, *((seconds, labels) if segments else ()))
    taken = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=9))
    length = max(sum(map(len, rows[i])) for i in taken) + data.draw(st.integers(0, 3))
    batch = made.padded(np.array(taken), length)
    assert {name: value.dtype for name, value in batch.items()} == {
        name: spec.dtype.as_numpy_dtype for name, spec in made.spec.items()
    }
    for line, number in enumerate(taken):
        start = 0
        for i, sequence in enumerate(rows[number]):
            place = slice(start, start + len(sequence))
            assert batch["token_ids"][line, place].tolist() == sequence
            assert set(batch["sequence_ids"][line, place]) == {i + 1}
            assert batch["position_ids"][line, place].tolist() == list(range(len(sequence)))
            if segments:
                second = [int(j >= seconds[number][i]) for j in range(len(sequence))]
                assert batch["segment_ids"][line, place].tolist() == second
                assert batch["first_positions"][line, i] == start
                assert batch["next_label"][line, i] == labels[number][i]
            start += len(sequence)
        assert batch["padding_mask"][line].tolist() == [1] * start + [0] * (length - start)
        assert not batch["token_ids"][line, start:].any()
        assert not batch["sequence_ids"][line, start:].any()
        if segments:
            assert (batch["next_label"][line, len(rows[number]) :] == -1).all()
