"""The line on real PubMed records, with an encoder small enough to train in seconds."""

from pathlib import Path

import pytest
from end_to_end_world import Recorder

from pipeline.config_loader import load_config
from pipeline.configs import PipelineConfig
from pipeline.datasets.fetch import fetch
from pipeline.run import new_run_id, run

pytestmark = pytest.mark.slow


def test_real_abstracts_become_a_pushed_classifier(tmp_path):
    vocabulary = fetch("minilm_l6") / "vocab.txt"
    backbone = "{num_layers: 1, num_heads: 2, hidden_dim: 64, intermediate_dim: 128}"
    config = load_config(
        PipelineConfig,
        Path("configs/pubmed_disease_area_demo.yaml"),
        [
            f"root={tmp_path}",
            "model.weights=null",
            f"model.vocabulary={vocabulary}",
            f"model.backbone={backbone}",
            "model.max_length=64",
            "training.epochs=4",
            "training.optimizer.learning_rate=2e-3",
            "gate={min_accuracy: 0.4, slices: [label, publication_type, year_band, length_band]}",
        ],
    )
    summary = run(config, new_run_id(), Recorder())
    assert summary["status"] == "succeeded", summary["error"] or summary["blessing"]
    rows = summary["rows"]
    assert rows["kept"] == 2386
    assert rows["kept_by_split"]["test"] == 457
    assert rows["read"] == rows["kept"] + rows["filtered"] + rows["quarantined"]
    assert summary["metrics"]["test"]["accuracy"] > 0.4  # the majority class is 0.199
