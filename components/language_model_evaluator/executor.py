"""Loads what would be pushed, measures it, decides."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.artifact_file import write_artifact_file
from components.blessing import write_blessing
from components.language_model_evaluator.config import LanguageModelGateConfig
from components.pretrain_example_gen.executor import VOCABULARY_FOLDER
from components.pretrain_trainer.config import PretrainSettings
from components.vocabulary_gen.config import WORDPIECE_FILE
from models.language_model import Bert, Gpt, LanguageModel, measure
from models.sequence_rows import SequenceRows
from models.tokenizer import read_vocabulary

EVALUATION_FILE = "language_model_evaluation.json"
_SPLIT = "eval"


class Executor(base_executor.BaseExecutor):
    """Writes `evaluation` and `blessing`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Measures the model and blesses it if every rule of the gate is kept.

        Args:
            input_dict: `examples`, PretrainExampleGen's, and `model`, one artifact each.
            output_dict: `evaluation` gets `language_model_evaluation.json`, `{"metrics": {…}, "rows": n,
                "rules": [a dump of each Rule], "reasons": [sentence, …]}`; `blessing` is as TFX's
                Evaluator writes it.
            exec_properties: `gate` and `settings`, dumps of LanguageModelGateConfig and PretrainSettings.
        """
        gate = LanguageModelGateConfig.model_validate_json(exec_properties["gate"])
        settings = PretrainSettings.model_validate_json(exec_properties["settings"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        artifact = artifact_utils.get_single_instance(input_dict["model"])
        folder = artifact_utils.get_split_uri([examples], _SPLIT)
        rows = SequenceRows.read(tf.io.gfile.glob(os.path.join(folder, "*")))
        model = _load(artifact.uri, Path(examples.uri), settings, rows)
        metrics = measure(model, rows, settings.training.seed)
        if isinstance(model, Gpt):
            metrics["bits_per_byte"] = _bits_per_byte(model, rows, metrics["loss"])
        rules = gate.judge(metrics, len(rows))
        reasons = [rule.sentence for rule in rules if not rule.is_met]
        evaluation = {
            "metrics": metrics,
            "rows": len(rows),
            "rules": [rule.model_dump() for rule in rules],
            "reasons": reasons,
        }
        evaluation_uri = artifact_utils.get_single_uri(output_dict["evaluation"])
        path = os.path.join(evaluation_uri, EVALUATION_FILE)
        write_artifact_file(path, json.dumps(evaluation, indent=1) + "\n")
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        write_blessing(blessing, artifact, not reasons, "\n".join(reasons))


def _load(
    uri: str, examples: Path, settings: PretrainSettings, rows: SequenceRows
) -> LanguageModel:
    """The model as it would be pushed, not as it was trained."""
    folder = path_utils.serving_model_path(uri)
    if settings.is_causal:
        return Gpt.load(folder)
    vocabulary = read_vocabulary(examples / VOCABULARY_FOLDER / WORDPIECE_FILE)
    model, missing = Bert.load(folder, vocabulary, settings.model.masking, rows.has_pairs)
    if missing:
        raise ValueError(f"{folder} lacks {', '.join(missing)}")
    return model


def _bits_per_byte(model: Gpt, rows: SequenceRows, loss: float) -> float:
    """The mean loss, in nats a predicted token, as bits a byte of the text of the predicted tokens.

    The first token of each sequence is predicted from nothing, so it is left out of both.
    """
    first = np.cumsum(rows.sequence_lengths) - rows.sequence_lengths
    is_predicted = np.ones(len(rows.token_ids), bool)
    is_predicted[first] = False
    lengths = _byte_lengths(model.generator.tokenizer.model)[rows.token_ids]
    return float(loss * is_predicted.sum() / lengths[is_predicted].sum() / np.log(2))


def _byte_lengths(tokenizer: bytes) -> np.ndarray:
    """Bytes of text that each id of a SentencePiece model stands for, int64 [ids]."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer)

    def length(i: int) -> int:
        if processor.is_control(i) or processor.is_unknown(i):
            return 0
        return (
            1 if processor.is_byte(i) else len(processor.id_to_piece(i).replace("▁", " ").encode())
        )

    return np.array([length(i) for i in range(processor.vocab_size())], np.int64)
