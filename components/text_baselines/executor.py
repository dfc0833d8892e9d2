"""Learns the baselines from the train split and asks them about the test split."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.artifact_file import write_artifact_file
from components.beam_executor import split_files
from components.text_baselines.answers import measure, predict
from components.text_baselines.baselines import fit_all
from components.text_baselines.examples import read_texts

METRICS_FILE = "metrics.json"
logger = logging.getLogger(__name__)


class Executor(base_executor.BaseExecutor):
    """Writes `<baseline>/predictions.parquet` and `metrics.json`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Learns and answers.

        Args:
            input_dict: `examples`, with `key`, `text`, perhaps `text_pair`, and `label`, and the splits train
                and test.
            output_dict: `baselines`.
            exec_properties: `task`, what the labels are.

        Raises:
            ValueError: a split is missing, or nothing can be learnt from train.
        """
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        uri = artifact_utils.get_single_uri(output_dict["baselines"])
        task = exec_properties["task"]
        train = read_texts(split_files(examples, "train"), task)
        test = read_texts(split_files(examples, "test"), task)
        metrics = {}
        for name, baseline in fit_all(train.texts, train.labels, task).items():
            predictions = predict(baseline, test)
            folder = Path(uri, name)
            folder.mkdir(parents=True, exist_ok=True)
            predictions.write(folder)
            metrics[name] = {
                metric: estimate.model_dump() for metric, estimate in measure(predictions).items()
            }
            logger.info("%s: %s", name, metrics[name])
        write_artifact_file(os.path.join(uri, METRICS_FILE), json.dumps(metrics, indent=1) + "\n")
