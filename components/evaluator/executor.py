"""The Evaluator's work: TFMA's analysis, and our gate's decision on the same predictions."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.components.util import tfxio_utils
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as spec
from tfx.utils import io_utils, json_utils, path_utils, proto_utils

from components.beam_executor import BeamExecutor
from components.blessing import blessed_files
from components.evaluator import collect
from components.evaluator.blessing import bless
from components.evaluator.comparison import BLESSED, MAJORITY, SVM
from components.evaluator.config import GateConfig
from components.evaluator.fairness.measure import measure_fairness
from components.evaluator.gate import judge
from components.evaluator.predictions import Predictions
from components.evaluator.verdict import Fairness, Rule
from components.text_baselines import baselines as text_baselines

GATE_KEY, BASELINES_KEY = "gate", "baselines"
BLESSED_FOLDER = "blessed_model"  # its predictions, in the evaluation artifact
_BASELINES = {text_baselines.TFIDF_SVM: SVM, text_baselines.MAJORITY: MAJORITY}  # by folder
_BATCH = 64  # texts asked at once


class Executor(BeamExecutor):
    """TFMA measures and writes what it always does; whether the model is blessed, our gate says."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Analyses, judges, and blesses the model or not.

        Args:
            input_dict: `examples`, `schema`, `model`, and where there are any `baseline_model` (the latest
                blessed one) and `baselines` (other models' predictions).
            output_dict: `evaluation` and `blessing`.
            exec_properties: `eval_config`, `example_splits`, and `gate`, a dump of GateConfig.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        gate = GateConfig.model_validate_json(exec_properties[GATE_KEY])
        evaluation = artifact_utils.get_single_instance(output_dict[spec.EVALUATION_KEY])
        model = artifact_utils.get_single_instance(input_dict[spec.MODEL_KEY])
        files = blessed_files(model)
        blessed = _blessed(input_dict.get(spec.BASELINE_MODEL_KEY))
        start = time.monotonic()
        self._analyse(input_dict, exec_properties, gate, evaluation.uri, model, blessed)
        seconds = {"tfma": time.monotonic() - start}
        predictions = Predictions.read(evaluation.uri)
        others = _baselines(input_dict.get(BASELINES_KEY))
        if blessed is not None:
            others[BLESSED] = Predictions.read(Path(evaluation.uri, BLESSED_FOLDER))
        start = time.monotonic()
        fairness = _fairness(predictions, gate, model)
        seconds["fairness"] = time.monotonic() - start
        verdict = judge(predictions, gate, others, fairness)
        verdict = verdict.model_copy(update={"seconds": seconds | verdict.seconds})
        verdict.write(evaluation.uri)
        blessing = artifact_utils.get_single_instance(output_dict[spec.BLESSING_KEY])
        component = exec_properties.get("current_component_id")
        bless(blessing, verdict, model, blessed, component, files)

    def _analyse(
        self,
        input_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
        gate: GateConfig,
        output: str,
        model: types.Artifact,
        blessed: types.Artifact | None,
    ) -> None:
        """TFMA's results and the predictions, into the folder `output`."""
        config = config_pb2.EvalConfig()
        proto_utils.json_to_proto(exec_properties[spec.EVAL_CONFIG_KEY], config)
        config = tfma.utils.update_eval_config_with_defaults(
            config, has_baseline=blessed is not None, rubber_stamp=True
        )
        models, folders = [], {}
        for model_spec in config.model_specs:
            artifact = blessed if model_spec.is_baseline else model
            assert artifact is not None  # a baseline's specification is there only if it is
            models.append(
                tfma.default_eval_shared_model(
                    path_utils.serving_model_path(artifact.uri),
                    eval_config=config,
                    model_name=model_spec.name,
                )
            )
            is_one_of_two = len(config.model_specs) > 1
            folder = Path(output, BLESSED_FOLDER) if model_spec.is_baseline else Path(output)
            folders[model_spec.name if is_one_of_two else ""] = str(folder)
        features = {*gate.slices, *(gate.fairness.features if gate.fairness else ())}
        analyse = tfma.ExtractEvaluateAndWriteResults(
            eval_shared_model=models if len(models) > 1 else models[0],
            eval_config=config,
            evaluators=[
                *tfma.default_evaluators(eval_shared_model=models, eval_config=config),
                collect.collector(),
            ],
            writers=[
                *tfma.default_writers(
                    output_path=output, eval_shared_model=models, eval_config=config
                ),
                collect.writer(folders, sorted(features)),
            ],
            output_path=output,
        )
        splits = json_utils.loads(exec_properties[spec.EXAMPLE_SPLITS_KEY])
        with self._make_beam_pipeline() as pipeline:
            _read(pipeline, input_dict, splits) | "Analyse" >> analyse


def _read(
    pipeline: beam.Pipeline, input_dict: dict[str, list[types.Artifact]], splits: list[str]
) -> beam.PCollection:
    """The examples of some splits as Arrow record batches that also hold them serialized."""
    [schema] = input_dict[spec.SCHEMA_KEY]
    examples = input_dict[spec.EXAMPLES_KEY]
    source = tfxio_utils.get_tfxio_factory_from_artifact(
        examples=examples,
        telemetry_descriptors=["Evaluator"],
        schema=io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri)),
        raw_record_column_name=tfma.ARROW_INPUT_COLUMN,
    )
    batches = [
        pipeline | f"Read {split} {number}" >> source(io_utils.all_files_pattern(uri)).BeamSource()
        for split in splits
        for number, uri in enumerate(artifact_utils.get_split_uris(examples, split))
    ]
    return batches | "Flatten" >> beam.Flatten()


def _blessed(artifacts: list[types.Artifact] | None) -> types.Artifact | None:
    """The latest blessed model; an empty artifact is PushedBaseline's way to say that there is none."""
    found = [
        one for one in artifacts or () if tf.io.gfile.exists(path_utils.serving_model_path(one.uri))
    ]
    return found[0] if found else None


def _baselines(artifacts: list[types.Artifact] | None) -> dict[str, Predictions]:
    """Predictions of the baselines that were made, by name."""
    if not artifacts:
        return {}
    [artifact] = artifacts
    folders = {name: Path(artifact.uri, folder) for folder, name in _BASELINES.items()}
    return {name: Predictions.read(path) for name, path in folders.items() if path.is_dir()}


def _fairness(
    predictions: Predictions, gate: GateConfig, model: types.Artifact
) -> tuple[Fairness, tuple[Rule, ...]] | None:
    if gate.fairness is None or not len(predictions):
        return None
    return measure_fairness(predictions, gate.fairness, _ask(model))


def _ask(model: types.Artifact) -> Callable[[list[str]], np.ndarray]:
    """A model as a function of raw texts, float [n, classes]."""
    signature = tf.saved_model.load(path_utils.serving_model_path(model.uri)).signatures[
        "serving_text"
    ]

    def probabilities(texts: list[str]) -> np.ndarray:
        parts = [
            signature(text=tf.constant(texts[start : start + _BATCH]))["probabilities"].numpy()
            for start in range(0, len(texts), _BATCH)
        ]
        return np.concatenate(parts)

    return probabilities
