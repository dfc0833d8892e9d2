"""PredictionLogs become rows of JSON Lines or Parquet, each with the key and the place of its text."""

import json
import os
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from tfx import types
from tfx.types import artifact_utils

from components.beam_executor import BeamExecutor
from components.bulk_inferrer.executor import LOGS_PREFIX
from components.example_gen.accounts import tally_read, write_accounts
from components.example_gen.executor import QUARANTINE_KEY
from components.example_gen.undivided import SPLIT, Asked
from components.prediction_writer import answers
from components.prediction_writer.artifact import PREFIX, write_keys
from components.prediction_writer.keys import CountRepeated
from models.config import TaskName

TASK_KEY, FORMAT_KEY = "task", "format"
INFERENCE_RESULT_KEY, PREDICTIONS_KEY = "inference_result", "predictions"
_REJECTED = "rejected"
_PARQUET_ROW_GROUP_BYTES = 8 << 20


class Executor(BeamExecutor):
    """Writes `predictions`; rows stream from file to file."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes a row for each answer, in the order of the logs.

        Args:
            input_dict: `inference_result`, of our BulkInferrer.
            output_dict: `predictions`, and `quarantine` for answers that are no numbers.
            exec_properties: `task`, and `format`: "jsonl" or "parquet".
        """
        logs = artifact_utils.get_single_uri(input_dict[INFERENCE_RESULT_KEY])
        uri = artifact_utils.get_single_uri(output_dict[PREDICTIONS_KEY])
        quarantine = artifact_utils.get_single_uri(output_dict[QUARANTINE_KEY])
        task = exec_properties[TASK_KEY]
        with self._make_beam_pipeline() as pipeline:
            read = pipeline | "Read" >> beam.io.ReadFromTFRecord(
                os.path.join(logs, f"{LOGS_PREFIX}*")
            )
            outcomes = read | "Answer" >> beam.ParDo(_Answer()).with_outputs(_REJECTED, main="rows")
            rows = outcomes["rows"]
            _write_rows(rows, exec_properties[FORMAT_KEY], task, os.path.join(uri, PREFIX))
            _ = (
                rows
                | "Keys" >> beam.Map(lambda row: row["key"])
                | "CountRepeated" >> beam.CombineGlobally(CountRepeated())
                | "WriteKeys" >> beam.Map(write_keys, uri)
            )
            write_accounts(tally_read(read), {SPLIT: rows}, outcomes[_REJECTED], quarantine)


class _Answer(beam.DoFn):
    """Serialized PredictionLog -> row, (reason, JSON line) of what is no answer."""

    def process(self, serialized: bytes) -> Iterator[Any]:
        log = prediction_log_pb2.PredictionLog.FromString(serialized).predict_log
        [example] = log.request.inputs.values()
        asked = Asked.of(example.string_val[0])
        outputs = {name: tf.make_ndarray(proto)[0] for name, proto in log.response.outputs.items()}
        answer = answers.answer(outputs)
        if wrong := answers.not_finite(answer):
            row = asked.rejected("no_answer", f"the model's answer is {wrong[0]}")
            yield beam.pvalue.TaggedOutput(_REJECTED, row)
            return
        place = {"key": asked.key, "source": asked.source, "position": asked.position}
        yield place | answer


def _write_rows(rows: beam.PCollection, file_format: str, task: TaskName, prefix: str) -> None:
    if file_format == "jsonl":
        _ = (
            rows
            | "ToJson" >> beam.Map(json.dumps, ensure_ascii=False)
            | "WriteJsonLines" >> beam.io.WriteToText(prefix, file_name_suffix=".jsonl")
        )
        return
    _ = (
        rows
        | "ToColumns" >> beam.Map(_columns)
        | "WriteParquet"
        >> beam.io.WriteToParquet(
            prefix,
            answers.schema(task),
            row_group_buffer_size=_PARQUET_ROW_GROUP_BYTES,
            codec="snappy",
            file_name_suffix=".parquet",
        )
    )


def _columns(row: answers.Row) -> answers.Row:
    """The row as pyarrow takes it: a map is a list of pairs."""
    if "probabilities" not in row:
        return row
    return row | {"probabilities": list(row["probabilities"].items())}
