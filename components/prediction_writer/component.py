"""The PredictionWriter component."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.example_gen.quarantine import Quarantine
from components.fingerprint import code_fingerprint
from components.prediction_writer import executor
from components.prediction_writer.artifact import Format, Predictions
from models.config import TaskName


class PredictionWriterSpec(ComponentSpec):
    """Inputs, outputs and parameters of PredictionWriter."""

    PARAMETERS = {
        executor.TASK_KEY: ExecutionParameter(type=str),
        executor.FORMAT_KEY: ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        executor.INFERENCE_RESULT_KEY: ChannelParameter(type=standard_artifacts.InferenceResult)
    }
    OUTPUTS = {
        executor.PREDICTIONS_KEY: ChannelParameter(type=Predictions),
        executor.QUARANTINE_KEY: ChannelParameter(type=Quarantine),
    }


class PredictionWriter(base_beam_component.BaseBeamComponent):
    """Writes what a BulkInferrer was answered as JSON Lines or Parquet.

    A row has `key`, `source` and `position` of its text, and the answer: `label`, `probability` and
    `probabilities` (by class) of single_label, `labels` and `probabilities` of multi_label, `value` of
    regression. The text is not repeated.

    Outputs: `predictions`, and `quarantine` for answers with numbers that are not finite.

    Args:
        inference_result: of our BulkInferrer, over undivided examples.
        task: the model's.
        file_format: of the files.
    """

    SPEC_CLASS = PredictionWriterSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(self, inference_result: types.BaseChannel, task: TaskName, file_format: Format):
        super().__init__(
            PredictionWriterSpec(
                inference_result=inference_result,
                task=task,
                format=file_format,
                code_fingerprint=code_fingerprint(executor.__name__),
                predictions=types.Channel(type=Predictions),
                quarantine=types.Channel(type=Quarantine),
            )
        )
