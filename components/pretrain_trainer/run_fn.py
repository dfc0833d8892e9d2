"""What the TFX Trainer runs: pretrain a BERT or a GPT, keep it, export it."""

import json
import logging
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from components.pretrain_example_gen.executor import VOCABULARY_FOLDER
from components.pretrain_example_gen.shards import REPORT_FILE
from components.pretrain_trainer.config import PretrainSettings
from components.trainer.runs import (
    METRICS_FILE,
    data_files,
    listeners,
    run_key,
    training_metrics,
)
from components.trainer.serving_files import write_serving_files
from components.trainer.warm_up import generator_requests
from components.vocabulary_gen.config import SENTENCEPIECE_FILE, WORDPIECE_FILE
from models.gpt.sentencepiece_tokenizer import SentencepieceTokenizer, read_sentencepiece_model
from models.gpt.text_generator import TextGenerator
from models.language_model import Bert, Gpt, LanguageModel
from models.precision import precision
from models.sequence_rows import SequenceRows
from models.strategy import create_strategy, is_chief
from models.telemetry.flops import flops_per_token
from models.tokenizer import read_vocabulary
from models.training import fit

logger = logging.getLogger("sciformer.trainer")

PROVENANCE_FILE = "provenance.json"


def run_fn(fn_args: FnArgs) -> None:
    """Pretrains on rows of PretrainExampleGen and writes the model artifact.

    The artifact holds `Format-Serving/` (of a BERT its Hugging Face folder, of a GPT a SavedModel with what
    `components.trainer.serving_files` writes; with `provenance.json`) and `training_metrics.json`. See
    `components.trainer.run_fn` for checkpoints.

    Args:
        fn_args: paths from TFX; `custom_config` is a dump of `PretrainSettings`.

    Raises:
        Preempted: SIGTERM came; the same run goes on from the checkpoint it names.
    """
    settings = PretrainSettings(**fn_args.custom_config)
    training = settings.training
    strategy = create_strategy(training.strategy)  # before TensorFlow is used otherwise
    train, evaluation = (
        SequenceRows.read(data_files(patterns))
        for patterns in (fn_args.train_files, fn_args.eval_files)
    )
    examples = Path(fn_args.train_files[0]).parents[1]
    keras.utils.set_random_seed(training.seed)
    with strategy.scope(), precision(training.precision):
        model = build(settings, examples / VOCABULARY_FOLDER, train.has_pairs)
    logger.info("%d rows, %d tokens", len(train), len(train.token_ids))
    rows = model.rows(train, training.seed)
    folder = Path(fn_args.model_run_dir)
    checkpoints = Path(settings.checkpoints, run_key(settings, fn_args))
    history = fit(
        model.task,
        rows,
        model.rows(evaluation, training.seed),
        training,
        folder,
        strategy,
        checkpoints,
        listeners(settings, training, _flops(model, train), rows, strategy, folder, checkpoints),
    )
    if not is_chief(strategy):
        return
    serving = Path(fn_args.serving_model_dir)
    metrics = training_metrics(history, len(train), len(train.token_ids))
    model.save(serving)
    if isinstance(model, Gpt):
        write_serving_files(str(serving), generator_requests(model.generator.config))
    (serving.parent / METRICS_FILE).write_text(json.dumps(metrics, indent=1))
    provenance = _provenance(settings, examples, metrics)
    (serving / PROVENANCE_FILE).write_text(json.dumps(provenance, indent=1) + "\n")
    if checkpoints.exists():
        tf.io.gfile.rmtree(str(checkpoints))


def build(settings: PretrainSettings, vocabulary: Path, next_sentence: bool) -> LanguageModel:
    """The model that the settings describe, with the weights it starts from.

    Args:
        settings: what to build.
        vocabulary: folder with `vocab.txt` or, for a GPT, `sentencepiece.model`.
        next_sentence: whether a BERT gets a head for sentence pairs.
    """
    if settings.is_causal:
        tokenizer = read_sentencepiece_model(vocabulary / SENTENCEPIECE_FILE)
        size = SentencepieceTokenizer(tokenizer).vocabulary_size
        return Gpt(TextGenerator(settings.model.gpt(size), tokenizer))
    tokens = read_vocabulary(vocabulary / WORDPIECE_FILE)
    masking = settings.model.masking
    if settings.model.weights:
        model, missing = Bert.load(settings.model.weights, tokens, masking, next_sentence)
        if missing:
            logger.info("new, not in %s: %s", settings.model.weights, ", ".join(missing))
        return model
    return Bert(settings.model.backbone(len(tokens)), tokens, masking, next_sentence)


def _flops(model: LanguageModel, train: SequenceRows) -> float:
    """Operations a token; the heads are left out, as `flops_per_token` says."""
    return flops_per_token(model.config, float(train.sequence_lengths.mean()))


def _provenance(
    settings: PretrainSettings, examples: Path, metrics: dict[str, Any]
) -> dict[str, Any]:
    """What made a pretrained model, to lie beside it wherever it is copied to."""
    return {
        "settings": settings.model_dump(mode="json"),
        "examples": json.loads((examples / REPORT_FILE).read_text()),
        "training": {name: metrics[name] for name in ("best_epoch", "train", "eval")},
    }
