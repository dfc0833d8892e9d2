"""Starting a training from the weights of an exported model."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from models.classifier import TextClassifier, read_description
from models.config import Config

_HEAD = ("head/kernel", "head/bias")


class WarmStartError(ValueError):
    """The model cannot be started from; the message says why."""


class WarmStart(Config):
    """What a training started from.

    Attributes:
        model: folder of the exported model; None if there was none, or none that fits.
        kept: classes whose rows of the head were taken over.
        new: classes that it does not know; their rows start from random weights.
        vanished: classes that only it knows; their rows are dropped.
        reason: why the training started from `model.weights` (or random weights) all the same.
    """

    model: str | None = None
    kept: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    reason: str | None = None


def start_from(
    classifier: TextClassifier, folder: str | Path, description: str | Path
) -> WarmStart:
    """Gives a classifier the weights of an exported one, the head's by the names of the classes.

    Only weights are taken over: the optimizer and its schedule start anew.

    Args:
        classifier: is changed, unless an error is raised.
        folder: the SavedModel of `models.export`.
        description: the folder that `TextClassifier.describe` wrote beside it.

    Raises:
        WarmStartError: no such model, or one of another vocabulary or another size.
    """
    try:
        config, vocabulary = read_description(description)
    except FileNotFoundError as error:
        raise WarmStartError(f"{folder} does not say what it is: {error}") from None
    _check_vocabulary(vocabulary, list(classifier.tokenizer.vocabulary))
    weights = read_variables(folder)
    classes, known = list(classifier.config.classes), list(config.classes)
    values = {
        variable.path: _value(variable.path, variable.numpy(), weights, classes, known)
        for variable in classifier.model.trainable_variables
    }
    for variable in classifier.model.trainable_variables:
        variable.assign(values[variable.path])
    return WarmStart(
        model=str(folder),
        kept=tuple(name for name in classes if name in known),
        new=tuple(name for name in classes if name not in known),
        vanished=tuple(name for name in known if name not in classes),
    )


def read_variables(folder: str | Path) -> dict[str, np.ndarray]:
    """Values of an exported model's variables by their Keras paths.

    Raises:
        WarmStartError: the folder holds no SavedModel.
    """
    try:
        model = tf.saved_model.load(str(folder))
    except OSError as error:
        raise WarmStartError(f"{folder} cannot be loaded: {error}") from None
    return {variable.name.partition(":")[0]: variable.numpy() for variable in model.variables}


def _check_vocabulary(found: list[str], expected: list[str]) -> None:
    if found != expected:
        raise WarmStartError(
            f"its vocabulary ({len(found)} tokens) is not this run's ({len(expected)} tokens)"
        )


def _value(
    path: str,
    initial: np.ndarray,
    weights: dict[str, np.ndarray],
    classes: list[str],
    known: list[str],
) -> np.ndarray:
    """What a variable starts with; a class's part of the head is the last axis of kernel and bias."""
    if path not in weights:
        raise WarmStartError(f"it has no {path}: another encoder")
    found = weights[path]
    if path in _HEAD and classes and known and found.shape[:-1] == initial.shape[:-1]:
        value = initial.copy()
        for i, name in enumerate(classes):
            if name in known:
                value[..., i] = found[..., known.index(name)]
        return value
    if found.shape != initial.shape:
        raise WarmStartError(
            f"its {path} has the shape {found.shape}, this run's {initial.shape}: another size"
        )
    return found
