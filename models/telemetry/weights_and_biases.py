"""Training curves for Weights & Biases, with or without a network."""

import contextlib
import logging
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.history import Epoch, History, Step
from models.telemetry.points import Points, Scalars, epoch_scalars
from models.whole_file import write_whole_file

logger = logging.getLogger("sciformer.training")

# Seconds and attempts: a server that is away delays a run by less than a minute, not by hours.
_PATIENCE = {"init_timeout": 60.0} | {
    f"x_{part}_{name}": value
    for part in ("graphql", "file_stream", "file_transfer")
    for name, value in {
        "retry_max": 2,
        "retry_wait_min_seconds": 1,
        "retry_wait_max_seconds": 4,
        "timeout_seconds": 10,
    }.items()
}


class WeightsAndBiases:
    """Logs a run to a project; the x axis is the number of updates.

    Where nobody is logged in, or the server does not answer, the run is recorded in a folder that can be
    uploaded later. The environment variable WANDB_MODE ("online", "offline", "disabled") has the first word.
    Whatever goes wrong with Weights & Biases is a warning in the log, and training goes on without it. A
    resumed run keeps its id and logs the whole curve again; the server ignores updates that it already has.

    Args:
        project: is made if it does not exist.
        folder: gets `wandb/`.
        settings: of the run, as JSON types; shown beside the curves.
        points: how updates become points.
        steps_per_epoch: updates in an epoch.
        id_file: keeps the run's id, for all attempts at one training; is made if it does not exist.
    """

    def __init__(
        self,
        project: str,
        folder: str | Path,
        settings: dict[str, Any],
        points: Points,
        steps_per_epoch: int,
        id_file: str | Path,
    ):
        self._points, self._steps_per_epoch = points, steps_per_epoch
        self._last = 0
        self._run: Any = None
        with self._warning():
            self._run = _start(project, Path(folder), settings, _run_id(Path(id_file)))

    def on_restore(self, history: History) -> None:
        """Logs the curve so far."""
        history.replay(self, self._steps_per_epoch)

    def on_step(self, step: Step) -> None:
        """Logs a point if one is due."""
        self._last = step.step
        self._log(self._points.add(step), step.step)

    def on_epoch(self, epoch: Epoch) -> None:
        """Logs the epoch's means at its last update."""
        last = epoch.epoch * self._steps_per_epoch
        self._log((self._points.rest() or {}) | epoch_scalars(epoch), last)

    def close(self) -> None:
        """Ends the run, after its upload if it is online."""
        self._log(self._points.rest(), self._last)
        with self._warning():
            if self._run:
                self._run.finish()

    def _log(self, scalars: Scalars | None, step: int) -> None:
        with self._warning():
            if self._run and scalars:
                self._run.log(scalars, step=step)

    @contextlib.contextmanager
    def _warning(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of any kind: a plot is not worth a training
            self._run = None
            logger.warning("training goes on without Weights & Biases: %s", error)


def _start(project: str, folder: Path, settings: dict[str, Any], run_id: str) -> Any:
    """The wandb run, online if that is possible."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # to its makers; read at import
    import wandb  # half a second, for those who ask for it

    why = "nobody is logged in here"
    asked = os.environ.get("WANDB_MODE")
    mode = asked or ("online" if wandb.api.api_key else "offline")
    if mode == "online":
        try:
            return _init(mode, project, folder, settings, run_id)
        except wandb.errors.Error as error:
            why = str(error)
            wandb.teardown()  # or its background process tries on and on
            mode = "offline"
    elif asked:
        why = f"WANDB_MODE is {asked}"
    run = _init(mode, project, folder, settings, run_id)
    if mode == "offline":
        # A resumed run's upload replaces that of the attempt before, whose curve it has too.
        logger.info(
            "Weights & Biases is offline (%s); upload later with: wandb sync %s",
            why,
            run.settings.sync_dir,
        )
    return run


def _run_id(file: Path) -> str:
    if not file.exists():
        write_whole_file(file, secrets.token_hex(4))
    return file.read_text()


def _init(mode: Any, project: str, folder: Path, settings: dict[str, Any], run_id: str) -> Any:
    import wandb

    return wandb.init(
        project=project,
        dir=str(folder),
        config=settings,
        id=run_id,
        mode=mode,
        resume="allow" if mode == "online" else None,
        settings=wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            symlink=False,  # TFX removes what a preempted run leaves, and fails at a link to a folder
            **_PATIENCE,
        ),
    )
