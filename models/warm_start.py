"""Starting a training from the weights of an exported model."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from models.classifier import TextClassifier, read_description
from models.config import ClassifierConfig, Config, TargetScale

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
        WarmStartError: no such model, or one of another vocabulary, task or size.
    """
    try:
        config, vocabulary = read_description(description)
    except FileNotFoundError as error:
        raise WarmStartError(f"{folder} does not say what it is: {error}") from None
    _check_vocabulary(vocabulary, list(classifier.tokenizer.vocabulary))
    _check_task(config, classifier.config)
    weights = read_variables(folder)
    if config.target and classifier.config.target:
        weights |= _rescaled(weights, config.target, classifier.config.target)
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


def _check_task(found: ClassifierConfig, expected: ClassifierConfig) -> None:
    if (found.task, found.pairs) != (expected.task, expected.pairs):
        kinds = [f"{c.task}{' of pairs' if c.pairs else ''}" for c in (found, expected)]
        raise WarmStartError(f"its task is {kinds[0]}, this run's {kinds[1]}")


def _rescaled(
    weights: dict[str, np.ndarray], then: TargetScale, now: TargetScale
) -> dict[str, np.ndarray]:
    """A regression's head, so that its numbers stay the same in the labels' own units."""
    kernel, bias = (weights[path].astype(np.float64) for path in _HEAD)
    moved = (then.mean - now.mean + then.deviation * bias) / now.deviation
    scaled = then.deviation / now.deviation * kernel
    return dict(zip(_HEAD, (scaled.astype(np.float32), moved.astype(np.float32)), strict=True))


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
