"""What a language model says to rows and weights that do not fit it."""

import numpy as np
import pytest
import tiny_gpt

from models.config import BackboneConfig, MaskingConfig
from models.language_model import Bert, Gpt
from models.sequence_rows import SequenceRows

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "heart", "lung"]
CONFIG = BackboneConfig(
    vocabulary_size=len(VOCABULARY),
    num_layers=1,
    num_heads=2,
    hidden_dim=8,
    intermediate_dim=16,
    max_sequence_length=20,
)


def rows(length: int) -> SequenceRows:
    """One row of two sequences, the second of them of this length."""
    return SequenceRows.from_sequences([[[2, 3], [2] * length]])


def bert() -> Bert:
    return Bert(CONFIG, VOCABULARY, MaskingConfig(), next_sentence=False)


def test_sequences_may_be_as_long_as_there_are_positions():
    for model, length in (
        (bert(), CONFIG.max_sequence_length),
        (Gpt(tiny_gpt.make_generator()), tiny_gpt.CONFIG.max_sequence_length),
    ):
        assert len(model.rows(rows(length), seed=0)) == 1
        message = f"has {length + 1} ids, the model {length} positions: lower examples.max_length"
        with pytest.raises(ValueError, match=message):
            model.rows(rows(length + 1), seed=0)


def test_a_bert_goes_on_where_it_was_saved(tmp_path):
    model = bert()
    model.save(tmp_path)
    again, missing = Bert.load(tmp_path, VOCABULARY, MaskingConfig(), next_sentence=False)
    assert not missing
    pairs = zip(model.task.model.get_weights(), again.task.model.get_weights(), strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)


def test_weights_of_another_vocabulary_are_refused(tmp_path):
    bert().save(tmp_path)
    with pytest.raises(ValueError, match="import the vocabulary of these weights"):
        Bert.load(tmp_path, [*VOCABULARY, "more"], MaskingConfig(), next_sentence=False)
