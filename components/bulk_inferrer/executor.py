"""BulkInferrer's work: every example becomes a PredictionLog or goes to quarantine."""

import os
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from tensorflow_serving.apis import prediction_log_pb2
from tfx import types
from tfx.components.bulk_inferrer import executor as tfx_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx_bsl.public.proto import model_spec_pb2

from components.beam_executor import BeamExecutor, split_files
from components.bulk_inferrer.handler import Answer, EveryRow, Refused
from components.example_gen.accounts import tally_read, write_accounts
from components.example_gen.executor import QUARANTINE_KEY
from components.example_gen.undivided import SPLIT, Asked

BATCH_SIZE_KEY = "batch_size"
LOGS_PREFIX = "prediction_logs"
_REFUSED = "refused"


class Executor(BeamExecutor, tfx_executor.Executor):
    """TFX's executor; the Beam graph is ours.

    In TFX's, one row that the model refuses ends the run, and batches are as large as Beam's timing makes
    them (up to 10,000 rows), each padded to its longest text. Here batches have a fixed size, and what is
    refused is quarantined. Nothing is grouped or shuffled: rows stream from file to file.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Asks the model about all examples.

        Args:
            input_dict: `examples`, and `model`: a TFX Model, or an imported SavedModel as it is pushed.
            output_dict: `inference_result`, gzipped TFRecords of PredictionLog as TFX writes them, and
                `quarantine`.
            exec_properties: TFX's, and `batch_size`.

        Raises:
            RuntimeError: the model has no signature `serving_default`.
        """
        self._quarantine_uri = artifact_utils.get_single_uri(output_dict[QUARANTINE_KEY])
        super().Do(input_dict, output_dict, exec_properties)

    def _get_inference_spec(
        self, model_path: str, exec_properties: dict[str, Any]
    ) -> model_spec_pb2.InferenceSpecType:
        """TFX's, with a batch size, which its ModelSpec has no place for."""
        # TFX looks in the artifact for a folder with the SavedModel; a pushed version is that itself.
        path = model_path if fileio.exists(model_path) else os.path.dirname(model_path)
        spec = super()._get_inference_spec(path, exec_properties)
        spec.batch_parameters.min_batch_size = exec_properties[BATCH_SIZE_KEY]
        spec.batch_parameters.max_batch_size = exec_properties[BATCH_SIZE_KEY]
        return spec

    def _run_model_inference(
        self,
        data_spec: Any,
        output_example_spec: Any,
        examples: list[types.Artifact],
        output_examples: types.Artifact | None,
        inference_result: types.Artifact,
        inference_endpoint: model_spec_pb2.InferenceSpecType,
    ) -> None:
        files = [
            file
            for artifact in examples
            for split in artifact_utils.decode_split_names(artifact.split_names)
            for file in split_files(artifact, split)
        ]
        with self._make_beam_pipeline() as pipeline:
            asked = (
                pipeline | "Files" >> beam.Create(files) | "Read" >> beam.io.ReadAllFromTFRecord()
            )
            answers = (
                asked
                | "RunInference" >> RunInference(EveryRow(inference_endpoint))
                | "Part" >> beam.ParDo(_Part()).with_outputs(_REFUSED, main="answered")
            )
            _ = answers["answered"] | "WritePredictionLogs" >> beam.io.WriteToTFRecord(
                os.path.join(inference_result.uri, LOGS_PREFIX),
                file_name_suffix=".gz",
                coder=beam.coders.ProtoCoder(prediction_log_pb2.PredictionLog),
            )
            kept = {SPLIT: answers["answered"]}
            write_accounts(tally_read(asked), kept, answers[_REFUSED], self._quarantine_uri)


class _Part(beam.DoFn):
    """Answer -> PredictionLog, (reason, JSON line) of what is refused."""

    def process(self, answer: Answer) -> Iterator[Any]:
        if isinstance(answer, Refused):
            row = Asked.of(answer.example).rejected("model_refused", answer.error)
            yield beam.pvalue.TaggedOutput(_REFUSED, row)
        else:
            yield answer
