"""What the TFX Tuner runs: trainings with different settings, the best of which the Trainer takes."""

import contextlib
import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import keras_tuner as kt
import pydantic
import tensorflow as tf
from keras_tuner.engine.base_tuner import BaseTuner
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from components.fingerprint import code_fingerprint
from components.trainer.run_fn import Splits, TrainerSettings, train_classifier
from components.trainer.runs import run_key
from components.tuner.config import Range, TuningConfig, apply_values, number_kinds
from models.config import Config
from models.history import History
from models.strategy import create_strategy
from models.telemetry.progress import Progress
from models.training import NotFiniteError, train_plan

logger = logging.getLogger("sciformer.tuner")

_OBJECTIVE = "eval_loss"
_ORACLES = {
    "random": kt.oracles.RandomSearchOracle,
    "bayesian": kt.oracles.BayesianOptimizationOracle,
}


class TunerSettings(Config):
    """The Tuner's custom_config, which is also its cache key."""

    trainer: TrainerSettings
    tuning: TuningConfig
    code_fingerprint: str = pydantic.Field(default_factory=lambda: code_fingerprint(__name__))


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Prepares the search.

    Finished trials, and the checkpoints of the one under way, are kept in a folder named after the settings
    and the data, so that a search that was killed goes on; in the end the folder is removed.

    Args:
        fn_args: paths from TFX; `custom_config` is a dump of `TunerSettings`.

    Raises:
        ValueError: the strategy has several workers.
    """
    settings = TunerSettings(**fn_args.custom_config)
    fn_args.transform_output = fn_args.transform_graph_path  # TFX gives the Trainer both names
    strategy = create_strategy(settings.trainer.training.strategy)
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise ValueError(
            "tuning runs its trials in one process, and TF_CONFIG names several workers: tune in a "
            "run of one worker, or set training.strategy"
        )
    folder = Path(settings.trainer.checkpoints, f"tuner-{run_key(settings, fn_args)}")
    with contextlib.redirect_stdout(sys.stderr):  # where keras-tuner prints that it goes on
        try:
            search = Search(settings, Splits.read(fn_args, settings.trainer.task), strategy, folder)
        except json.JSONDecodeError:
            logger.warning("%s was left half-written: searching from the start", folder)
            shutil.rmtree(folder)
            search = Search(settings, Splits.read(fn_args, settings.trainer.task), strategy, folder)
    return TunerFnResult(search, {"verbose": 0})


class Search(BaseTuner):
    """keras-tuner's loop over trials, each of which is one of our trainings.

    Args:
        settings: of the trainings and of the search.
        splits: the data.
        strategy: where the replicas are.
        folder: of the state of the search.
    """

    def __init__(
        self,
        settings: TunerSettings,
        splits: Splits,
        strategy: tf.distribute.Strategy,
        folder: Path,
    ):
        self._settings, self._splits, self._strategy = settings, splits, strategy
        self._folder = folder
        tuning = settings.tuning
        oracle = _ORACLES[tuning.algorithm](
            objective=kt.Objective(_OBJECTIVE, "min"),
            max_trials=tuning.max_trials,
            hyperparameters=search_space(tuning),
            seed=settings.trainer.training.seed + 1,  # keras-tuner takes 0 for none
            max_consecutive_failed_trials=tuning.max_trials + 1,  # a diverging one is no failure
        )
        super().__init__(oracle, directory=str(folder.parent), project_name=folder.name)

    def search(self, *args: Any, **kwargs: Any) -> None:
        """Runs all trials.

        Raises:
            Preempted: SIGTERM came; the same search goes on where it was.
            RuntimeError: no training ended with a finite loss.
            Exception: whatever else a training raises; the next one would too.
        """
        try:
            super().search(*args, **kwargs)
        except kt.errors.FatalError as error:
            raise (error.__cause__ or error) from None
        if all(trial.score is None for trial in self.oracle.trials.values()):
            raise RuntimeError(
                f"none of the {len(self.oracle.trials)} trials ended with a finite loss: lower the "
                "learning rates in tuning.search"
            )
        shutil.rmtree(self._folder)

    def run_trial(
        self, trial: kt.engine.trial.Trial, *args: Any, **kwargs: Any
    ) -> dict[str, float]:
        """Trains with the trial's values.

        Returns:
            The eval loss of the best epoch.
        """
        values = dict(trial.hyperparameters.values)
        folder = Path(self.get_trial_dir(trial.trial_id))
        name = f"trial {int(trial.trial_id) + 1}/{self._settings.tuning.max_trials}"
        try:
            history = self._train(values, folder)
        except NotFiniteError as error:
            logger.info("%s with %s: %s", name, _words(values), error)
            raise kt.errors.FailedTrialError(str(error)) from error
        except Exception as error:
            raise kt.errors.FatalError(str(error)) from error  # the others, keras-tuner swallows
        shutil.rmtree(folder / "checkpoints")
        loss = history.best.eval["loss"]
        logger.info("%s with %s: eval loss %.4f", name, _words(values), loss)
        return {_OBJECTIVE: loss}

    def _train(self, values: dict[str, Any], folder: Path) -> History:
        training = apply_values(self._settings.trainer.training, values)
        steps = len(train_plan(self._splits.train, training))
        _, history, _ = train_classifier(
            self._settings.trainer.model_copy(update={"training": training}),
            self._splits,
            self._strategy,
            folder,
            listeners=[Progress(training.epochs * steps, training.epochs)],
        )
        return history

    def search_space_summary(self, extended: bool = False) -> None:
        """TFX asks for this text on standard output, where it would be in the way; the config says it."""

    def results_summary(self, num_trials: int = 10) -> None:
        """As above; our log says it."""


def search_space(tuning: TuningConfig) -> kt.HyperParameters:
    """The search as keras-tuner understands it."""
    space = kt.HyperParameters()
    for key, candidates in tuning.search.items():
        if isinstance(candidates, Range):
            draw = space.Float if float in number_kinds(key) else space.Int
            draw(key, candidates.min, candidates.max, sampling=candidates.scale)
        else:  # keras-tuner refuses a list of ints and floats
            is_mixed = any(isinstance(value, float) for value in candidates)
            space.Choice(key, [float(value) if is_mixed else value for value in candidates])
    return space


def _words(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )
