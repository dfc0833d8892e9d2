"""The packing benchmark on a few documents and the smallest model."""

import argparse

import pytest

from benchmarks import packing
from components.example_gen.records import Record
from components.pretrain_example_gen.text import BertReader
from models.config import BackboneConfig, MaskingConfig
from models.masking import Masking

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "heart", "lung", "fails", "."]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packing")
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    texts = ("The heart fails. " * (n % 9 + 2) for n in range(60))
    records = [Record("", str(n), text, None, {}) for n, text in enumerate(texts)]
    reader = BertReader(str(folder / "vocab.txt"))
    return packing.Data("mlm_nsp", reader, records, 10, str(folder))


@pytest.fixture(scope="module")
def make(data):
    config = BackboneConfig(
        vocabulary_size=len(WORDS),
        num_layers=1,
        num_heads=1,
        hidden_dim=4,
        intermediate_dim=4,
        max_sequence_length=packing.LENGTH,
    )
    masking = Masking(WORDS, MaskingConfig())
    forms = data.forms(rows=2)
    return lambda name: packing.Contender(config, masking, forms[name])


def test_all_forms_hold_the_same_ids(data):
    assert sorted(data.packed.token_ids) == sorted(data.single.token_ids)
    assert len(data.packed) < len(data.single) == len(data.packed.sequence_lengths)
    assert "packed rows" in str(data)


def test_forms_have_about_as_many_tokens_an_update(data):
    forms = data.forms(rows=2)
    tokens = {name: rows.lengths.sum() / len(plan) for name, (rows, plan) in forms.items()}
    assert tokens[packing.PADDED] == pytest.approx(tokens[packing.PACKED], rel=0.5)
    assert tokens[packing.GROUPED] == pytest.approx(tokens[packing.PACKED], rel=0.5)


def test_contenders_learn_and_are_measured_on_documents_they_did_not_see(data, make):
    contender = make(packing.GROUPED)
    before = contender.eval_loss(data.held_out)
    seconds, tokens = contender.train(contender.updates_an_epoch)
    assert seconds > 0
    assert tokens == data.single.lengths.sum()
    assert contender.eval_loss(data.held_out) < before


def test_the_rows_of_the_json(capsys):
    losses = {packing.PACKED: [2.0, 2.2], packing.PADDED: [2.2, 2.4], packing.GROUPED: [2.0, 2.0]}
    arguments = argparse.Namespace(preset="tiny", objective="mlm_nsp", seeds=2)
    rows = packing.compare_losses(losses, arguments)
    assert [row["work"].rpartition(" beside ")[2] for row in rows] == [
        packing.PADDED,
        packing.GROUPED,
    ]
    assert rows[0]["ours"] == pytest.approx(2.1)
    printed = capsys.readouterr().out
    assert "nats a mask" in printed
    assert "-0.200 (-0.200 – -0.200)" in printed  # packed and padded differ as much with both seeds
