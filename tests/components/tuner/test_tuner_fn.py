"""The search: trials, their best, and what is left of a search that was stopped."""

import json
import logging
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tfx.components.tuner.executor import Executor
from tfx.types import artifact_utils, standard_artifacts

from components.trainer.run_fn import Splits, TrainerSettings
from components.tuner.config import TuningConfig, apply_values
from components.tuner.tuner_fn import Search, TunerSettings, search_space
from models.config import BackboneConfig, TrainingConfig
from models.examples import Examples
from models.preemption import Preempted

BACKBONE = BackboneConfig(
    vocabulary_size=14,
    num_layers=1,
    num_heads=2,
    hidden_dim=8,
    intermediate_dim=8,
    max_sequence_length=16,
)
RATES = {"optimizer.learning_rate": {"min": 1e-4, "max": 1e-1, "scale": "log"}}


def settings(vocabulary, checkpoints, search, **tuning) -> TunerSettings:
    return TunerSettings(
        trainer=TrainerSettings(
            vocabulary=str(vocabulary),
            vocabulary_hash="a hash",
            max_length=16,
            backbone=BACKBONE,
            training=TrainingConfig(epochs=2, batch_size=8),
            checkpoints=str(checkpoints),
        ),
        tuning=TuningConfig(**{"max_trials": 3, "search": search} | tuning),
    )


def splits() -> Splits:
    rng = np.random.default_rng(0)

    def examples(count):
        labels = rng.integers(0, 2, count)
        return Examples.from_rows([[2, 4 + label, 3] for label in labels], labels)

    return Splits(examples(24), examples(8), ["a", "b"])


@pytest.fixture
def make(tmp_path):
    """A search on two classes that a token tells apart; the same folder for the same name."""
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text(
        "".join(f"{i}\n" for i in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghij"])
    )

    def build(name="search", search=RATES, **tuning) -> Search:
        every = settings(vocabulary, tmp_path, search, **tuning)
        return Search(every, splits(), tf.distribute.get_strategy(), tmp_path / name)

    return build


def outcome(search: Search) -> list[tuple[dict, float]]:
    trials = sorted(search.oracle.trials.values(), key=lambda trial: trial.trial_id)
    return [(trial.hyperparameters.values, trial.score) for trial in trials]


def test_search_space_has_the_types_of_the_settings():
    tuning = TuningConfig(
        max_trials=1,
        search={
            **RATES,
            "batch_size": {"min": 8, "max": 64, "scale": "log"},
            "optimizer.weight_decay": [0, 0.01],
            "optimizer.name": ["lamb", "adamw"],
        },
    )
    space = search_space(tuning)
    for seed in range(20):
        values = {hp.name: hp.random_sample(seed) for hp in space.space}
        training = apply_values(TrainingConfig(), values)
        assert 1e-4 <= training.optimizer.learning_rate <= 1e-1
        assert 8 <= training.batch_size <= 64
        assert training.optimizer.weight_decay in (0, 0.01)
        assert training.optimizer.name in ("lamb", "adamw")


@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
def test_the_best_is_the_trial_of_least_eval_loss(make, tmp_path, caplog, algorithm):
    search = make(algorithm=algorithm)
    with caplog.at_level(logging.INFO, "sciformer.tuner"):
        search.search(verbose=0)
    found = outcome(search)
    assert len(found) == 3
    best = search.get_best_hyperparameters()[0].values
    assert (best, min(score for _, score in found)) in found
    assert len({score for _, score in found}) == 3
    words = [r.getMessage() for r in caplog.records if r.name == "sciformer.tuner"]
    assert [text.partition(" with optimizer.learning_rate ")[0] for text in words] == [
        "trial 1/3",
        "trial 2/3",
        "trial 3/3",
    ]
    assert not (tmp_path / "search").exists()


def test_a_diverging_trial_does_not_end_the_search(make):
    search = make(search={"optimizer.learning_rate": [1e-3, 3e38]}, max_trials=2)
    search.search(verbose=0)
    assert search.get_best_hyperparameters()[0].values == {"optimizer.learning_rate": 1e-3}
    assert len(search.oracle.trials) == 2


def test_a_search_without_a_finite_loss_fails(make):
    search = make(search={"optimizer.learning_rate": [2e38, 3e38]}, max_trials=2)
    with pytest.raises(RuntimeError, match="none of the 2 trials ended with a finite loss"):
        search.search(verbose=0)


def test_another_error_ends_the_search_as_itself(make):
    search = make(search={"optimizer.no_decay": ["bias", "gamma"]})
    with pytest.raises(ValueError, match="no_decay"):
        search.search(verbose=0)


class Preempt(logging.Handler):
    """Sends SIGTERM, as a scheduler would, at the end of the second trial's first epoch."""

    def __init__(self):
        super().__init__()
        self._trial = 1

    def emit(self, record):
        if record.name == "sciformer.tuner":
            self._trial += 1
        if self._trial == 2 and record.getMessage().startswith("epoch 1/2:"):
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_preempted_search_goes_on_where_it_was(make, caplog):
    whole = make("whole")
    whole.search(verbose=0)

    handler = Preempt()
    logging.getLogger("sciformer").addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, "sciformer"), pytest.raises(Preempted):
            make("parts").search(verbose=0)
    finally:
        logging.getLogger("sciformer").removeHandler(handler)
    caplog.clear()
    rest = make("parts")
    with caplog.at_level(logging.INFO, "sciformer"):
        rest.search(verbose=0)

    assert outcome(rest) == outcome(whole)
    assert any(r.getMessage().startswith("going on after update") for r in caplog.records)
    trials = [r.getMessage()[:9] for r in caplog.records if r.name == "sciformer.tuner"]
    assert trials == ["trial 2/3", "trial 3/3"]


# --- As TFX runs it --------------------------------------------------------------------------------


def tune(transformed, out: Path) -> None:
    """Runs the stock executor on Transform's output."""
    inputs = {
        "examples": standard_artifacts.Examples(),
        "transform_graph": standard_artifacts.TransformGraph(),
    }
    inputs["examples"].uri = str(transformed.folder / "transformed_examples")
    inputs["examples"].split_names = artifact_utils.encode_split_names(list(transformed.rows))
    inputs["transform_graph"].uri = str(transformed.folder / "transform_graph")
    outputs = {
        "best_hyperparameters": standard_artifacts.HyperParameters(),
        "tuner_results": standard_artifacts.TunerResults(),
    }
    for name, artifact in outputs.items():
        artifact.uri = str(out / name)
    every = settings(transformed.vocabulary_file, out / "checkpoints", RATES, max_trials=2)
    Executor(Executor.Context(tmp_dir=str(out / "tmp"), unique_id="1")).Do(
        {name: [artifact] for name, artifact in inputs.items()},
        {name: [artifact] for name, artifact in outputs.items()},
        {
            "tuner_fn": "components.tuner.tuner_fn.tuner_fn",
            "train_args": '{"splits": ["train"]}',
            "eval_args": '{"splits": ["eval"]}',
            "custom_config": every.model_dump_json(),
        },
    )


@pytest.mark.slow  # runs the Transform component
def test_tfx_writes_the_best_values(transformed, tmp_path, capfd):
    tune(transformed, tmp_path)
    best = json.loads((tmp_path / "best_hyperparameters/best_hyperparameters.txt").read_text())
    trials = json.loads((tmp_path / "tuner_results/tuner_results.json").read_text())
    assert len(trials) == 2
    assert trials[0]["score"] < trials[1]["score"]
    assert best["values"] == {"optimizer.learning_rate": trials[0]["optimizer.learning_rate"]}
    assert apply_values(TrainingConfig(), best["values"]).optimizer.learning_rate in [
        trial["optimizer.learning_rate"] for trial in trials
    ]
    assert not any((tmp_path / "checkpoints").iterdir())
    assert capfd.readouterr().out == ""
