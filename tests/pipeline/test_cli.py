"""The command line: exit codes, and what goes where."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from typer.testing import CliRunner

from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig
from models.export import export_classifier
from pipeline.__main__ import app

COMMANDS = [
    "run",
    "validate",
    "show",
    "lineage",
    "report",
    "predict",
    "fetch",
    "demo",
    "status",
    "promote",
    "rollback",
]
ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = """
name: tiny
root: {folder}/runs
data: {{path: {folder}/data, text: {{label_column: label}}}}
model:
  vocabulary: {folder}/vocab.txt
  backbone: {{num_layers: 1, num_heads: 1, hidden_dim: 4, intermediate_dim: 4}}
gate: {{min_accuracy: 0.5}}
"""


@pytest.fixture
def config(tmp_path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "vocab.txt").write_text("[PAD]\n")
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG.format(folder=tmp_path))
    return path


def call(*args):
    """In this process; only commands that import no TFX and leave the logs alone."""
    return CliRunner().invoke(app, [str(arg) for arg in args])


def start(*args, stdin=""):
    """As a user does."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, args)],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_command():
    done = call("--help")
    assert done.exit_code == 0
    for command in COMMANDS:
        assert command in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command):
    done = call(command, "--help")
    assert done.exit_code == 0
    assert "Usage" in done.stdout


def test_a_sound_config_is_valid(config, tmp_path):
    done = call("validate", "--config", config)
    assert (done.exit_code, done.stdout) == (0, f"{config}: valid (tiny)\n")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["validate", "run", "show", "predict"])
@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("trainin.epochs=3", "trainin"),
        ("training.epochs=three", "training.epochs"),
        ("model.weights=minilm_l6", "give one of weights (a name or a folder), pretrained (a run)"),
        ("gate.min_accuracy=2", "gate.min_accuracy"),
    ],
)
def test_a_wrong_config_gives_2_a_message_and_nothing_else(
    config, tmp_path, command, override, expected
):
    done = call(command, "-c", config, "--set", override)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["validate", "run", "show"])
def test_a_missing_folder_gives_2_before_anything_starts(config, tmp_path, command):
    done = call(command, "-c", config, "--set", f"data.path={tmp_path}/nowhere")
    assert done.exit_code == 2
    assert done.stderr == f"{config}: data.path: {tmp_path}/nowhere: no such folder\n"
    assert not (tmp_path / "runs").exists()


def test_a_missing_config_file(tmp_path):
    done = call("validate", "-c", tmp_path / "no.yaml")
    assert done.exit_code == 2
    assert str(tmp_path / "no.yaml") in done.stderr


def test_overrides_win(config):
    assert call("validate", "-c", config, "-s", "name=other").stdout.endswith("valid (other)\n")


def test_an_unknown_run(tmp_path):
    done = call("lineage", "20260101T000000.000Z", "--root", tmp_path)
    assert done.exit_code == 2
    assert "there is none" in done.stderr


def test_data_sets_are_listed_with_their_licence():
    done = call("fetch", "--list")
    assert done.exit_code == 0
    assert "minilm_l6            Apache-2.0" in done.stdout


def test_an_unknown_data_set_is_not_fetched():
    done = call("fetch", "minilm")
    assert done.exit_code == 1
    assert "did you mean 'minilm_l6'?" in done.stderr


@pytest.mark.slow  # imports TFX in a process of its own
def test_show_prints_the_graph_and_nothing_else(config):
    done = start("show", "--config", config)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("tiny  →  ")
    assert "\n\nTrainer\n  ← examples of Transform\n" in done.stdout


@pytest.mark.slow  # imports TFX in a process of its own
def test_status_prints_the_table_and_no_warning_of_a_library(config):
    done = start("status", "--config", config)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert "nothing was pushed yet" in done.stdout


@pytest.fixture
def pushed(config, tmp_path) -> Path:
    keras.utils.set_random_seed(0)
    backbone = BackboneConfig(
        vocabulary_size=5, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    )
    settings = ClassifierConfig(backbone=backbone, classes=("a", "Ω"), max_length=8)
    classifier = TextClassifier(settings, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart"])
    export_classifier(classifier, str(tmp_path / "runs/tiny/serving/tiny/1"))
    return config


def test_predict_reads_texts_from_standard_input(pushed):
    done = start("predict", "-c", pushed, "--jsonl", stdin="heart\n心臓, ünïcödé\n")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["text"] for answer in answers] == ["heart", "心臓, ünïcödé"]
    assert set(answers[0]["probabilities"]) == {"a", "Ω"}
    assert done.stderr == ""


def test_predict_without_a_model(config):
    done = start("predict", "-c", config, "heart")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no pushed model in" in done.stderr
    assert "Traceback" not in done.stderr
