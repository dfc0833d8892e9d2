"""What the audit is told of an encoder's pretraining: the best source that is there."""

import json
from pathlib import Path

import pytest

from components.data_audit.config import Pretraining
from components.pretrain_trainer.run_fn import PROVENANCE_FILE
from pipeline import pretraining_data
from pipeline.configs import PipelineConfig
from pipeline.pretraining_data import find_pretraining

BACKBONE = {"num_layers": 1, "num_heads": 1, "hidden_dim": 4, "intermediate_dim": 4}
PRETRAINED = {"model": {"pretrained": {"pipeline": "language", "root": "runs"}}}


@pytest.fixture
def world(tmp_path, monkeypatch) -> Path:
    """A folder with a pushed encoder, the summary of the run that pushed it, and the rows it read."""
    monkeypatch.chdir(tmp_path)
    encoder = tmp_path / "runs/language/serving/language/7"
    rows = tmp_path / "rows"
    for folder in (encoder, rows / "Split-train"):
        folder.mkdir(parents=True)
    (rows / "Split-train" / "data.gz").write_text("")
    (encoder / "provenance.json").write_text("{}")
    other = {"pushed": None, "artifacts": {}}
    mine = {
        "pushed": {"path": str(encoder)},
        "artifacts": {"PretrainExampleGen.pretrain_examples": [str(rows)]},
    }
    for name, summary in (("other", other), ("mine", mine)):
        (tmp_path / "runs/language" / name).mkdir()
        (tmp_path / "runs/language" / name / "summary.json").write_text(json.dumps(summary))
    return tmp_path


def config(**changes) -> PipelineConfig:
    groups = {
        "name": "tiny",
        "data": {"path": "data", "text": {"label_column": "label"}},
        "model": {"backbone": BACKBONE, "vocabulary": "vocab.txt"},
        "gate": {"min_accuracy": 0.5},
    }
    return PipelineConfig.model_validate(groups | changes)


def test_random_weights_have_seen_nothing():
    assert find_pretraining(config(), None) == Pretraining("none")


def test_the_rows_of_the_run_that_pushed_the_encoder(world):
    encoder = world / "runs/language/serving/language/7"
    found = find_pretraining(config(**PRETRAINED), encoder)
    assert found == Pretraining("examples", str(world / "rows"))


def test_what_was_held_out_where_the_rows_are_gone(world):
    encoder = world / "runs/language/serving/language/7"
    (world / "rows/Split-train/data.gz").unlink()
    found = find_pretraining(config(**PRETRAINED), encoder)
    assert (found.source, found.path) == ("provenance", str(encoder / "provenance.json"))
    (encoder / "provenance.json").write_text('{"changed": 1}')
    assert find_pretraining(config(**PRETRAINED), encoder).fingerprint != found.fingerprint


def test_an_encoder_copied_elsewhere_brings_its_provenance(world):
    encoder = world / "runs/language/serving/language/7"
    weights = {"model": {"weights": str(encoder)}}
    assert find_pretraining(config(**weights), encoder).source == "provenance"
    (encoder / "provenance.json").unlink()
    assert find_pretraining(config(**weights), encoder) == Pretraining("unknown")


def test_given_keys_come_first(world):
    (world / "keys.txt").write_text("1\n")
    found = find_pretraining(config(**PRETRAINED, audit={"pretraining_keys": "keys.txt"}), None)
    assert (found.source, found.path) == ("keys", str(world / "keys.txt"))


def test_the_file_is_called_what_the_pretraining_calls_it():
    assert pretraining_data._PROVENANCE_FILE == PROVENANCE_FILE
