"""The Beam pipeline from examples to those that are learned from."""

import json
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.artifact_file import write_artifact_file
from components.beam_executor import BeamExecutor, split_files
from components.evaluator.fairness.config import AttributeConfig
from components.mitigation.config import MitigationConfig
from components.mitigation.rows import Mitigator
from components.mitigation.weights import Cell, cell_weights
from models.examples import EXAMPLE_WEIGHT

TRAIN = "train"
REPORT_FILE, SCHEMA_FILE = "mitigation.json", "schema.pbtxt"


class Executor(BeamExecutor):
    """Writes the examples anew, those of the train split as the settings say.

    Each file is read and written as one, by one worker, under its own name and in its own order: the result
    is the same whatever the number of workers.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs the pipeline.

        Args:
            input_dict: `examples`, with `key`, `text` and `label`, and `schema`, one artifact each.
            output_dict: `mitigated_examples`, with `mitigation.json` beside the splits, and
                `mitigated_schema`, which knows the weight.
            exec_properties: `config` and `attribute`, JSON dumps of MitigationConfig and AttributeConfig.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = MitigationConfig.model_validate_json(exec_properties["config"])
        attribute = AttributeConfig.model_validate_json(exec_properties["attribute"])
        source = artifact_utils.get_single_instance(input_dict["examples"])
        target = artifact_utils.get_single_instance(output_dict["mitigated_examples"])
        splits = artifact_utils.decode_split_names(source.split_names)
        target.split_names = source.split_names
        examples_utils.set_payload_format(target, example_gen_pb2.FORMAT_TF_EXAMPLE)
        for split in splits:
            folder = artifact_utils.get_split_uri([target], split)
            fileio.makedirs(folder)
            if split != TRAIN:
                for path in split_files(source, split):
                    fileio.copy(path, os.path.join(folder, os.path.basename(path)))
        _write_schema(
            artifact_utils.get_single_uri(input_dict["schema"]),
            artifact_utils.get_single_uri(output_dict["mitigated_schema"]),
        )
        with self._make_beam_pipeline() as pipeline:
            _mitigate(
                pipeline,
                split_files(source, TRAIN),
                Mitigator(config, attribute),
                config.reweight,
                target,
            )


def _mitigate(
    pipeline: beam.Pipeline,
    files: list[str],
    mitigator: Mitigator,
    reweight: bool,
    target: types.Artifact,
) -> None:
    """Counts the cells of all files, then writes each file with the weights that follow."""
    paths = pipeline | "Files" >> beam.Create(files)
    counts = paths | "Count" >> beam.Map(mitigator.count) | "Sum" >> beam.CombineGlobally(_sum)
    weights = beam.pvalue.AsSingleton(
        counts | "Weigh" >> beam.Map(cell_weights if reweight else _no_weights)
    )
    folder = artifact_utils.get_split_uri([target], TRAIN)
    _ = paths | "Write" >> beam.Map(_write, weights, mitigator, folder)
    _ = counts | "Report" >> beam.Map(_write_report, weights, target.uri)


def _sum(counts: Iterable[Counter[Cell]]) -> Counter[Cell]:
    return sum(counts, Counter())


def _no_weights(_: Counter[Cell]) -> dict[Cell, float]:
    return {}


def _write(path: str, weights: dict[Cell, float], mitigator: Mitigator, folder: str) -> None:
    final = os.path.join(folder, os.path.basename(path))
    part = os.path.join(folder, f".part-{os.path.basename(path)}")
    with tf.io.TFRecordWriter(part, "GZIP") as writer:
        for row in mitigator.rows(path, weights):
            writer.write(row)
    fileio.rename(part, final, overwrite=True)


def _write_report(counts: Counter[Cell], weights: dict[Cell, float], folder: str) -> None:
    """`{"cells": [{"group", "label", "examples", "weight"}, …]}`, copies counted."""
    cells = [
        {"group": group, "label": label, "examples": n, "weight": weights.get((group, label), 1.0)}
        for (group, label), n in sorted(counts.items())
    ]
    report = json.dumps({"cells": cells}, indent=1, ensure_ascii=False) + "\n"
    write_artifact_file(os.path.join(folder, REPORT_FILE), report)


def _write_schema(source: str, target: str) -> None:
    """The examples' schema, and the weight, which only training examples have."""
    schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(source))
    feature = schema.feature.add(name=EXAMPLE_WEIGHT, type=schema_pb2.FLOAT)
    feature.presence.min_fraction = 0.0
    feature.value_count.min = feature.value_count.max = 1
    io_utils.write_pbtxt_file(os.path.join(target, SCHEMA_FILE), schema)
