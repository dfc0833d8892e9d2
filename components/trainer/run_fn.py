"""What the TFX Trainer runs: fine-tune a text classifier, keep it, export it."""

import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pydantic
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components.fingerprint import code_fingerprint
from components.trainer.runs import (
    METRICS_FILE,
    base_model,
    data_files,
    listeners,
    run_key,
    training_metrics,
)
from components.trainer.serving_files import write_serving_files
from components.trainer.warm_up import classifier_requests
from components.transform.preprocessing import LABEL_VOCABULARY, TOKEN_IDS
from components.tuner.config import apply_values
from models.backbone import build_backbone
from models.classifier import TextClassifier
from models.config import (
    BackboneConfig,
    ClassifierConfig,
    Config,
    Pooling,
    TargetScale,
    TaskName,
    TrainingConfig,
)
from models.examples import HAS_CLASS, LABEL_ID, TARGET, Examples
from models.export import TEXT, TEXT_PAIR, export_classifier
from models.hf_weights import load_backbone, read_backbone_config
from models.history import History, Listener
from models.precision import precision
from models.strategy import create_strategy, is_chief
from models.tasks import task_of
from models.telemetry.flops import flops_per_token
from models.tokenizer import SEP, read_vocabulary
from models.training import fit
from models.warm_start import WarmStart, WarmStartError, start_from

logger = logging.getLogger("sciformer.trainer")

CLASSIFIER_FOLDER = "classifier"
DESCRIPTION_FOLDER = (
    "assets.extra/classifier"  # of a SavedModel; TensorFlow Serving leaves it alone
)
NOTHING_PUSHED = "no model of other data has been pushed yet"


class TrainerSettings(Config):
    """The Trainer's custom_config, which is also its cache key.

    Exactly one of `weights` and `backbone` is set. With `warm_start` they are what the training starts from
    if there is no pushed model that fits.
    """

    vocabulary: str
    vocabulary_hash: str
    max_length: int
    pooling: Pooling = "mean"
    embedding_pooling: Pooling | None = None
    task: TaskName = "single_label"
    pairs: bool = False
    weights: str | None = None
    weights_hash: str | None = None
    backbone: BackboneConfig | None = None
    warm_start: bool = False
    training: TrainingConfig
    checkpoints: str
    code_fingerprint: str = pydantic.Field(default_factory=lambda: code_fingerprint(__name__))


def run_fn(fn_args: FnArgs) -> None:
    """Fine-tunes on the transformed examples and writes the model artifact.

    The artifact holds `Format-Serving/` (the SavedModel with what `components.trainer.serving_files` writes),
    `classifier/` (config, vocabulary and weights of the Keras model) and `training_metrics.json` (every
    epoch's means, and a WarmStart); the model run has `history.json`.

    While it trains it keeps checkpoints in a folder named after the settings and the data, so that a run of
    the same that was killed goes on; in the end the folder is removed.

    Args:
        fn_args: paths from TFX; `custom_config` is a dump of `TrainerSettings`, `base_model` the SavedModel
            to start from, if there is one.

    Raises:
        Preempted: SIGTERM came; the same run goes on from the checkpoint it names.
    """
    settings = _tuned(TrainerSettings(**fn_args.custom_config), fn_args.hyperparameters)
    strategy = create_strategy(settings.training.strategy)  # before TensorFlow is used otherwise
    splits = Splits.read(fn_args, settings.task)
    folder = Path(fn_args.model_run_dir)
    checkpoints = Path(settings.checkpoints, run_key(settings, fn_args))
    classifier, history, started = train_classifier(
        settings,
        splits,
        strategy,
        folder,
        checkpoints,
        listeners(
            settings,
            settings.training,
            _flops(settings, splits.train),
            splits.train,
            strategy,
            folder,
            checkpoints,
        ),
        base_model(fn_args),
    )
    if not is_chief(strategy):
        return
    model_folder = Path(fn_args.serving_model_dir).parent
    classifier.save(model_folder / CLASSIFIER_FOLDER)
    metrics = training_metrics(history, len(splits.train), len(splits.train.token_ids))
    metrics["warm_start"] = started.model_dump(mode="json")
    (model_folder / METRICS_FILE).write_text(json.dumps(metrics, indent=1))
    # Loaded anew: in float32, and with variables of no strategy.
    exported = TextClassifier.load(model_folder / CLASSIFIER_FOLDER)
    _export(exported, tft.TFTransformOutput(fn_args.transform_output), fn_args.serving_model_dir)
    requests = classifier_requests(exported.config)
    write_serving_files(fn_args.serving_model_dir, requests, exported.classes)
    if checkpoints.exists():
        tf.io.gfile.rmtree(str(checkpoints))


def _tuned(settings: TrainerSettings, hyperparameters: dict[str, Any] | None) -> TrainerSettings:
    """The settings with the Tuner's best values, if there was a Tuner."""
    if not hyperparameters:
        return settings
    training = apply_values(settings.training, hyperparameters["values"])
    return settings.model_copy(update={"training": training})


@dataclasses.dataclass(frozen=True)
class Splits:
    """What the Trainer learns from.

    Attributes:
        train: the train split.
        evaluation: the eval split, of which the best epoch is told.
        classes: label names by id; of a regression none.
        target: the scale that a regression's labels have been brought to.
    """

    train: Examples
    evaluation: Examples
    classes: list[str]
    target: TargetScale | None = None

    @classmethod
    def read(cls, fn_args: FnArgs, task: TaskName = "single_label") -> "Splits":
        """Reads the files that TFX names, into memory.

        Args:
            fn_args: paths from TFX.
            task: what the labels are.

        Raises:
            ValueError: of a regression: all training labels are the same.
        """
        classes = []
        if task != "regression":
            transform = tft.TFTransformOutput(fn_args.transform_output)
            classes = [label.decode() for label in transform.vocabulary_by_name(LABEL_VOCABULARY)]
        train, evaluation = (
            Examples.read(data_files(patterns), task, len(classes))
            for patterns in (fn_args.train_files, fn_args.eval_files)
        )
        if task != "regression":
            return cls(train, evaluation, classes)
        scale = _scale(train.labels)
        return cls(_scaled(train, scale), _scaled(evaluation, scale), classes, scale)


def _scale(labels: np.ndarray) -> TargetScale:
    """On which the labels, float32 [n], have mean 0 and deviation 1: one learning rate fits all units."""
    labels = labels.astype(np.float64)
    if not len(labels) or labels.min() == labels.max():
        raise ValueError("all labels of the train split are the same: there is nothing to learn")
    return TargetScale(mean=float(labels.mean()), deviation=float(labels.std()))


def _scaled(examples: Examples, scale: TargetScale) -> Examples:
    labels = (examples.labels.astype(np.float64) - scale.mean) / scale.deviation
    return dataclasses.replace(examples, labels=labels.astype(np.float32))


def train_classifier(
    settings: TrainerSettings,
    splits: Splits,
    strategy: tf.distribute.Strategy,
    folder: Path,
    checkpoints: Path | None = None,
    listeners: Sequence[Listener] = (),
    base: str | None = None,
) -> tuple[TextClassifier, History, WarmStart]:
    """Builds a classifier as the settings say and trains it.

    Args:
        settings: model and training.
        splits: the data.
        strategy: where the replicas are.
        folder: gets `history.json`.
        checkpoints: see `models.training.fit`.
        listeners: see there.
        base: SavedModel to start from.

    Returns:
        The classifier, the course of its training, and what it started from.
    """
    training = settings.training
    keras.utils.set_random_seed(training.seed)
    with strategy.scope(), precision(training.precision):
        classifier = _build_classifier(settings, splits)
        started = _start(classifier, settings, base)
    if settings.task == "single_label":
        splits.train.label_counts(len(splits.classes))  # refuses labels that are no class
    logger.info("%d training examples, %d tokens", len(splits.train), len(splits.train.token_ids))
    balanced = splits.train if training.balance_classes else None
    history = fit(
        task_of(classifier.model, classifier.config, balanced),
        splits.train,
        splits.evaluation,
        training,
        folder,
        strategy,
        checkpoints,
        listeners,
    )
    return classifier, history, started


def _start(classifier: TextClassifier, settings: TrainerSettings, base: str | None) -> WarmStart:
    """Takes over a pushed model's weights, if that is asked for and there are any that fit."""
    if not settings.warm_start:
        return WarmStart()
    if base is None:
        return WarmStart(reason=NOTHING_PUSHED)
    try:
        started = start_from(classifier, base, Path(base, DESCRIPTION_FOLDER))
    except WarmStartError as error:
        logger.warning("no warm start from %s: %s", base, error)
        return WarmStart(reason=f"not from {base}: {error}")
    logger.info("warm start from %s", base)
    return started


def _build_classifier(settings: TrainerSettings, splits: Splits) -> TextClassifier:
    vocabulary = read_vocabulary(settings.vocabulary)
    separator = vocabulary.index(SEP) if settings.pairs else None
    if settings.weights:
        backbone, backbone_config = load_backbone(settings.weights, separator)
    else:
        assert settings.backbone is not None
        backbone_config = settings.backbone
        backbone = build_backbone(backbone_config, separator=separator)
    if len(vocabulary) != backbone_config.vocabulary_size:
        raise ValueError(
            f"{settings.vocabulary} has {len(vocabulary)} tokens, the backbone's vocabulary_size is "
            f"{backbone_config.vocabulary_size}"
        )
    config = ClassifierConfig(
        backbone=backbone_config,
        task=settings.task,
        classes=splits.classes,
        target=splits.target,
        pairs=settings.pairs,
        max_length=settings.max_length,
        pooling=settings.pooling,
        embedding_pooling=settings.embedding_pooling,
    )
    return TextClassifier(config, vocabulary, backbone)


def _flops(settings: TrainerSettings, train: Examples) -> float:
    backbone = settings.backbone or read_backbone_config(str(settings.weights))
    return flops_per_token(backbone, float(train.lengths.mean()))


def _export(
    classifier: TextClassifier, transform_output: tft.TFTransformOutput, folder: str
) -> None:
    transform = transform_output.transform_features_layer()
    config = classifier.config
    texts = [TEXT, TEXT_PAIR] if config.pairs else [TEXT]
    spec = {name: tf.io.FixedLenFeature([], tf.string, "") for name in texts} | {
        "label": {
            "single_label": tf.io.FixedLenFeature([], tf.string, ""),
            "multi_label": tf.io.VarLenFeature(tf.string),
            "regression": tf.io.FixedLenFeature([], tf.float32, 0.0),
        }[config.task]
    }

    def transform_features(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        transformed = transform(tf.io.parse_example(examples, spec))
        return _label(transformed, config) | {TOKEN_IDS: tf.sparse.to_dense(transformed[TOKEN_IDS])}

    export_classifier(classifier, folder, {"transform_features": transform_features}, [transform])
    classifier.describe(Path(folder, DESCRIPTION_FOLDER))


def _label(transformed: dict[str, Any], config: ClassifierConfig) -> dict[str, tf.Tensor]:
    """What TFMA compares the answers with: `label_id`, `has_class` (float32 [n, classes]) or `target`."""
    if config.task == "regression":
        return {TARGET: transformed[TARGET]}
    if config.task == "single_label":
        return {LABEL_ID: transformed[LABEL_ID]}
    ids = tf.sparse.to_dense(transformed[LABEL_ID], default_value=-1)
    marks = tf.one_hot(ids, len(config.classes))  # of -1 there is none
    return {HAS_CLASS: tf.minimum(tf.reduce_sum(marks, axis=1), 1.0)}
