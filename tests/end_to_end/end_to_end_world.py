"""A small world: a few hundred rows that a model of one layer can learn, and a config for them."""

import csv
import json
import multiprocessing
import os
import random
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

import training_processes

from pipeline.__main__ import app
from pipeline.configs import PipelineConfig
from pipeline.local_runner import NodeRun

ROOT = Path(__file__).resolve().parents[2]
# TFX, which takes ten seconds to import. This module is imported before the server is started.
multiprocessing.set_forkserver_preload([*training_processes.PRELOADED, "pipeline.run"])

TOPICS = {
    "heart": ["heart", "cardiac", "valve", "pulse"],
    "lung": ["lung", "cough", "breath", "airway"],
    "skin": ["skin", "rash", "itch", "burn"],
}
FILLER = ["the", "patient", "had", "a", "of", "with", "and", "was", "in", "acute", "severe", "mild"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ",", *FILLER]
VOCABULARY += [word for words in TOPICS.values() for word in words]
# So that what Unicode becomes is seen in the ids.
VOCABULARY += ["心", "臓", "قلب", "легкие", "##s", "\U0001f600", "[", "]"]


def make_rows(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Rows whose label is told by two of their words; every fifth row has a quoted comma and newline."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        label = rng.choice(list(TOPICS))
        words = rng.choices(FILLER, k=rng.randint(4, 60)) + rng.choices(TOPICS[label], k=2)
        rng.shuffle(words)
        glue = ",\n" if number % 5 == 0 else " "
        rows.append(
            {"id": str(number), "text": glue.join(words), "label": label, "site": f"s{number % 2}"}
        )
    return rows


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "text", "label", "site"])
        writer.writeheader()
        writer.writerows(rows)


def settings(folder: Path, **changes: object) -> dict:
    """A config as a YAML file would hold it; `changes` replace whole groups."""
    return {
        "name": "tiny",
        "root": str(folder / "runs"),
        "data": {
            "path": str(folder / "data"),
            "text": {
                "pattern": "*.csv",
                "label_column": "label",
                "key_column": "id",
                "columns": {"site": "bytes"},
                "splits": {"eval": 0.15, "test": 0.25},
            },
        },
        "model": {
            "vocabulary": str(folder / "vocab.txt"),
            "backbone": {
                "vocabulary_size": len(VOCABULARY),
                "num_layers": 1,
                "num_heads": 2,
                "hidden_dim": 32,
                "intermediate_dim": 64,
                "max_sequence_length": 64,
            },
            "max_length": 64,
        },
        "training": {"epochs": 6, "optimizer": {"learning_rate": 5e-3}},
        "gate": {"min_accuracy": 0.8, "slices": ["label", "site", "length_band"]},
        "serving_validation": {"num_examples": 4},
    } | changes


def make_config(folder: Path, **changes: object) -> PipelineConfig:
    return PipelineConfig.model_validate(settings(folder, **changes))


def start_command(config: dict, folder: Path, **environment: str) -> BaseProcess:
    """Starts `python -m pipeline run` in a process of its own; its output goes to `folder`/log.txt."""
    (folder / "config.yaml").write_text(json.dumps(config))
    arguments = ["run", "--config", str(folder / "config.yaml")]
    return start_pipeline(arguments, folder / "log.txt", environment)


def start_pipeline(
    arguments: list[str], log: Path, environment: Mapping[str, str] | None = None
) -> BaseProcess:
    """Starts `python -m pipeline` with arguments in a process of its own; its output goes to `log`."""
    return training_processes.start(_pipeline, {"arguments": arguments}, log, environment)


def _pipeline(arguments: list[str]) -> None:
    os.chdir(ROOT)
    app(arguments)


class Recorder:
    """A listener that only remembers."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}

    def started(self, node: str) -> None:
        self.states[node] = "started"

    def ended(self, run: NodeRun) -> None:
        self.states[run.node] = run.state
