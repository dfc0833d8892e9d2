"""What a language model says to rows and weights that do not fit it."""

import numpy as np
import pytest
import tiny_gpt

from models.config import MaskingConfig
from models.language_model import Bert, Gpt
from models.sequence_rows import SequenceRows


@pytest.fixture
def masked_vocabulary(vocabulary) -> list[str]:
    return [*vocabulary, "[MASK]"]


@pytest.fixture
def bert(backbone_config, masked_vocabulary) -> Bert:
    config = backbone_config.model_copy(update={"vocabulary_size": len(masked_vocabulary)})
    return Bert(config, masked_vocabulary, MaskingConfig(), next_sentence=False)


def rows(length: int) -> SequenceRows:
    """One row of two sequences, the second of them of this length."""
    return SequenceRows.from_sequences([[[2, 3], [2] * length]])


def test_sequences_may_be_as_long_as_there_are_positions(bert):
    for model, length in (
        (bert, bert.config.max_sequence_length),
        (Gpt(tiny_gpt.make_generator()), tiny_gpt.CONFIG.max_sequence_length),
    ):
        assert len(model.rows(rows(length), seed=0)) == 1
        message = f"has {length + 1} ids, the model {length} positions: lower examples.max_length"
        with pytest.raises(ValueError, match=message):
            model.rows(rows(length + 1), seed=0)


def test_a_bert_goes_on_where_it_was_saved(bert, masked_vocabulary, tmp_path):
    bert.save(tmp_path)
    again, missing = Bert.load(tmp_path, masked_vocabulary, MaskingConfig(), next_sentence=False)
    assert not missing
    pairs = zip(bert.task.model.get_weights(), again.task.model.get_weights(), strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)


def test_weights_of_another_vocabulary_are_refused(bert, masked_vocabulary, tmp_path):
    bert.save(tmp_path)
    with pytest.raises(ValueError, match="import the vocabulary of these weights"):
        Bert.load(tmp_path, [*masked_vocabulary, "more"], MaskingConfig(), next_sentence=False)
