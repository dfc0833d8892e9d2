"""Bits a byte are those of the text, whatever the tokenizer cuts it into."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tiny_gpt

from components.language_model_evaluator.executor import _bits_per_byte
from models.language_model import Gpt
from models.sequence_rows import SequenceRows

TEXTS = ["the heart fails", "two lungs — 日本", "a"]


def surprise(model: Gpt, rows: SequenceRows) -> tuple[float, float]:
    """Nats of all predicted tokens, and their number."""
    numbers = np.arange(len(rows))
    batch = rows.padded(numbers, int(rows.lengths.max())) | {"weight": np.ones(len(rows), "f")}
    batch = {name: tf.constant(value) for name, value in batch.items()}
    total, weight = model.task.sums(batch, training=False)["loss"]
    return float(total), float(weight)


def test_bits_a_byte_are_the_surprise_of_the_whole_texts():
    """Documents between two end tokens, packed: the texts' bytes count, the end tokens' nats too."""
    model = Gpt(tiny_gpt.make_generator())
    tokenizer = model.generator.tokenizer
    end = tokenizer.end_id
    documents = [[end, *ids, end] for ids in tokenizer(tf.constant(TEXTS)).to_list()]
    assert max(map(len, documents)) <= tiny_gpt.CONFIG.max_sequence_length
    rows = SequenceRows.from_sequences([documents[:2], documents[2:]])
    total, predicted = surprise(model, rows)
    nats = sum(surprise(model, SequenceRows.from_sequences([[ids]]))[0] for ids in documents)
    expected = nats / math.log(2) / sum(len(text.encode()) for text in TEXTS)
    assert _bits_per_byte(model, rows, total / predicted) == pytest.approx(expected, rel=1e-4)


def test_the_first_token_of_a_part_counts_neither_nats_nor_bytes():
    model = Gpt(tiny_gpt.make_generator())
    tokenizer = model.generator.tokenizer
    [ids] = tokenizer(tf.constant(["the heart fails"])).to_list()
    sizes = [len(text) for text in tokenizer.decode(tf.ragged.constant([[i] for i in ids])).numpy()]
    assert sum(sizes) == len("the heart fails")
    assert sizes[0] > 1
    parts = SequenceRows.from_sequences([[ids[:2], ids[2:]]])
    counted = sum(sizes) - sizes[0] - sizes[2]
    expected = (len(ids) - 2) / math.log(2) / counted
    assert _bits_per_byte(model, parts, loss=1.0) == pytest.approx(expected)
