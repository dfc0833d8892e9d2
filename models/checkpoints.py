"""Checkpoints that a killed training resumes from: all or nothing, and broken ones are passed over."""

import json
import logging
from typing import Any

import tensorflow as tf

logger = logging.getLogger("sciformer.training")

_STATE, _TENSORS = "state.json", "tensors"


def checkpoint_name(updates: int, epochs: int) -> str:
    """A name that sorts by age, from the updates made and the epochs finished and evaluated."""
    return f"step-{updates:010d}-epoch-{epochs:04d}"


class CheckpointError(RuntimeError):
    """There are checkpoints, but none that this training can go on from."""


class Checkpoints:
    """Checkpoints of one training in one folder, local or of any file system that TensorFlow reaches.

    Each is a folder named after updates and finished epochs, with TensorFlow's own checkpoint files, whose
    tensors carry checksums, and `state.json`, which is written last: a folder without it is the rest of a
    killed write.

    Args:
        folder: is made when the first checkpoint is written.
        trackable: what holds the variables.
        keep: how many of the newest stay; those that `state["best"]` of one of them names stay as well.
    """

    def __init__(self, folder: str, trackable: tf.train.Checkpoint, keep: int):
        self._folder, self._trackable, self._keep = folder, trackable, keep

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Writes the variables and `state` under a name of `checkpoint_name`.

        Args:
            name: a broken checkpoint of the same name is replaced.
            state: plain data; "best" is the name of the checkpoint of the best weights, or None.
        """
        path = self.path(name)
        self._delete(name)
        tf.io.gfile.makedirs(path)
        self._trackable.write(f"{path}/{_TENSORS}")
        part = f"{path}/{_STATE}.part"
        with tf.io.gfile.GFile(part, "w") as file:
            file.write(json.dumps(state))
        tf.io.gfile.rename(part, f"{path}/{_STATE}", overwrite=True)
        self._prune()

    def newest(self) -> tuple[str, dict[str, Any]] | None:
        """The newest checkpoint that can be read, along with the best one it names.

        Returns:
            Its name and state; None if there is no checkpoint.

        Raises:
            CheckpointError: there are some, and all of them are broken.
        """
        names = self.names()
        for name in reversed(names):
            try:
                state = self._state(name)
                for needed in {name, state["best"] or name}:
                    self._verify(needed)
                return name, state
            # TensorFlow's reader raises whatever Python error a status maps to: IndexError, SystemError, …
            except Exception as error:
                logger.warning(
                    "checkpoint %s is broken, taking the one before: %s", self.path(name), error
                )
        if names:
            raise CheckpointError(
                f"none of the {len(names)} checkpoints in {self._folder} can be read; the warnings above say "
                "why. Delete the folder to train from the start"
            )
        return None

    def restore(self, name: str) -> None:
        """Sets the variables to those of a checkpoint.

        Raises:
            CheckpointError: it is of another model or optimizer.
        """
        try:
            self._trackable.read(f"{self.path(name)}/{_TENSORS}").assert_consumed()
        except (AssertionError, ValueError) as error:
            raise CheckpointError(
                f"{self.path(name)} is of another model or optimizer ({error}). Delete its folder to train "
                "from the start"
            ) from error

    def names(self) -> list[str]:
        """All finished checkpoints, the oldest first."""
        if not tf.io.gfile.isdir(self._folder):
            return []
        folders = sorted(name.rstrip("/") for name in tf.io.gfile.listdir(self._folder))
        return [
            name
            for name in folders
            if name.startswith("step-") and tf.io.gfile.exists(f"{self.path(name)}/{_STATE}")
        ]

    def path(self, name: str) -> str:
        """Where a checkpoint is."""
        return f"{self._folder}/{name}"

    def _state(self, name: str) -> dict[str, Any]:
        with tf.io.gfile.GFile(f"{self.path(name)}/{_STATE}") as file:
            return json.loads(file.read())

    def _verify(self, name: str) -> None:
        """Reads every tensor, which compares its checksum."""
        reader = tf.train.load_checkpoint(f"{self.path(name)}/{_TENSORS}")
        for key in reader.get_variable_to_shape_map():
            reader.get_tensor(key)

    def _prune(self) -> None:
        """Deletes all but the newest, those they call their best, and nothing that is not ours."""
        names = self.names()
        kept = set(names[-self._keep :])
        for name in list(kept):
            try:
                kept.add(self._state(name)["best"])
            except (ValueError, KeyError):
                continue  # `newest` will pass over it
        for folder in tf.io.gfile.listdir(self._folder):
            if folder.startswith("step-") and folder.rstrip("/") not in kept:
                self._delete(folder.rstrip("/"))

    def _delete(self, name: str) -> None:
        path = self.path(name)
        if tf.io.gfile.exists(f"{path}/{_STATE}"):
            tf.io.gfile.remove(
                f"{path}/{_STATE}"
            )  # first, so that a kill leaves no half checkpoint
        if tf.io.gfile.exists(path):
            tf.io.gfile.rmtree(path)
