"""What the TFX Trainer runs: fine-tune a text classifier, keep it, export it."""

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any, Literal

import keras
import pydantic
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components.fingerprint import code_fingerprint
from components.transform.preprocessing import LABEL_ID, LABEL_VOCABULARY, TOKEN_IDS
from models.backbone import build_backbone
from models.batching import Scan, bucketed, read_examples, scan
from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig, Config, TrainingConfig
from models.export import export_classifier
from models.hf_weights import load_backbone
from models.tasks import Classification, balanced_weights
from models.tokenizer import read_vocabulary
from models.training import Epoch, best_epoch, fit

logger = logging.getLogger("sciformer.trainer")

CLASSIFIER_FOLDER, METRICS_FILE = "classifier", "training_metrics.json"


class TrainerSettings(Config):
    """The Trainer's custom_config, which is also its cache key.

    Exactly one of `weights` and `backbone` is set.
    """

    vocabulary: str
    vocabulary_hash: str
    max_length: int
    pooling: Literal["mean", "cls"] = "mean"
    weights: str | None = None
    weights_hash: str | None = None
    backbone: BackboneConfig | None = None
    training: TrainingConfig
    code_fingerprint: str = pydantic.Field(default_factory=lambda: code_fingerprint(__name__))


def run_fn(fn_args: FnArgs) -> None:
    """Fine-tunes on the transformed examples and writes the model artifact.

    The artifact holds `Format-Serving/` (the SavedModel), `classifier/` (config, vocabulary and weights of
    the Keras model) and `training_metrics.json` (every epoch's means).

    Args:
        fn_args: paths from TFX; `custom_config` is a dump of `TrainerSettings`.
    """
    settings = TrainerSettings(**fn_args.custom_config)
    keras.utils.set_random_seed(settings.training.seed)
    transform_output = tft.TFTransformOutput(fn_args.transform_output)

    classifier = _build_classifier(settings, transform_output)
    history, scanned = _train(classifier, settings.training, fn_args)

    model_folder = Path(fn_args.serving_model_dir).parent
    classifier.save(model_folder / CLASSIFIER_FOLDER)
    (model_folder / METRICS_FILE).write_text(json.dumps(_metrics(history, scanned), indent=1))
    _export(classifier, transform_output, fn_args.serving_model_dir)


def _build_classifier(
    settings: TrainerSettings, transform_output: tft.TFTransformOutput
) -> TextClassifier:
    classes = [label.decode() for label in transform_output.vocabulary_by_name(LABEL_VOCABULARY)]
    vocabulary = read_vocabulary(settings.vocabulary)
    if settings.weights:
        backbone, backbone_config = load_backbone(settings.weights)
    else:
        assert settings.backbone is not None
        backbone, backbone_config = build_backbone(settings.backbone), settings.backbone
    if len(vocabulary) != backbone_config.vocabulary_size:
        raise ValueError(
            f"{settings.vocabulary} has {len(vocabulary)} tokens, the backbone's vocabulary_size is "
            f"{backbone_config.vocabulary_size}"
        )
    config = ClassifierConfig(
        backbone=backbone_config,
        classes=classes,
        max_length=settings.max_length,
        pooling=settings.pooling,
    )
    return TextClassifier(config, vocabulary, backbone)


def _train(
    classifier: TextClassifier, config: TrainingConfig, fn_args: FnArgs
) -> tuple[list[Epoch], Scan]:
    train = read_examples(_files(fn_args.train_files)).cache()
    evaluation = read_examples(_files(fn_args.eval_files)).cache()
    max_length = classifier.config.max_length
    scanned = scan(train, config.batch_size, len(classifier.classes))
    logger.info("%d training examples, %d tokens", scanned.examples, scanned.tokens)
    weights = balanced_weights(scanned.label_counts) if config.balance_classes else None
    history = fit(
        Classification(classifier.model, weights),
        bucketed(train, config.batch_size, max_length, shuffle_seed=config.seed),
        bucketed(evaluation, config.batch_size, max_length),
        config,
        scanned.batches,
        Path(fn_args.model_run_dir),
    )
    return history, scanned


def _files(patterns: list[str]) -> list[str]:
    return [path for pattern in patterns for path in tf.io.gfile.glob(pattern)]


def _metrics(history: list[Epoch], scanned: Scan) -> dict[str, Any]:
    best = best_epoch(history)
    return {
        "best_epoch": best.epoch,
        "train": best.train,
        "eval": best.eval,
        "train_examples": scanned.examples,
        "train_tokens": scanned.tokens,
        "epochs": [dataclasses.asdict(epoch) for epoch in history],
    }


def _export(
    classifier: TextClassifier, transform_output: tft.TFTransformOutput, folder: str
) -> None:
    transform = transform_output.transform_features_layer()

    def transform_features(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {name: tf.io.FixedLenFeature([], tf.string, "") for name in ("text", "label")}
        transformed = transform(tf.io.parse_example(examples, spec))
        return {
            LABEL_ID: transformed[LABEL_ID],
            TOKEN_IDS: tf.sparse.to_dense(transformed[TOKEN_IDS]),
        }

    export_classifier(classifier, folder, {"transform_features": transform_features}, [transform])
