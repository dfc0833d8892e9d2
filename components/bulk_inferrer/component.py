"""TFX's BulkInferrer with a quarantine."""

from tfx import types
from tfx.components import BulkInferrer as TfxBulkInferrer
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.proto import bulk_inferrer_pb2
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.standard_component_specs import BulkInferrerSpec as TfxBulkInferrerSpec

from components.bulk_inferrer import executor
from components.example_gen.executor import QUARANTINE_KEY
from components.example_gen.quarantine import Quarantine
from components.fingerprint import code_fingerprint


class BulkInferrerSpec(TfxBulkInferrerSpec):
    """The stock specification with a batch size and a quarantine."""

    PARAMETERS = {
        **TfxBulkInferrerSpec.PARAMETERS,
        executor.BATCH_SIZE_KEY: ExecutionParameter(type=int),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    OUTPUTS = {
        **TfxBulkInferrerSpec.OUTPUTS,
        QUARANTINE_KEY: ChannelParameter(type=Quarantine),
    }


class BulkInferrer(TfxBulkInferrer):
    """Asks a model about examples; a row that it refuses goes to quarantine, and its batch is asked again.

    Outputs: `inference_result` (PredictionLogs, which hold the examples too) and `quarantine`.

    Args:
        examples: of an ExampleGen.
        model: a Model.
        batch_size: rows that are asked at once.
    """

    SPEC_CLASS = BulkInferrerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(self, examples: types.BaseChannel, model: types.BaseChannel, batch_size: int):
        spec = BulkInferrerSpec(
            examples=examples,
            model=model,
            model_spec=bulk_inferrer_pb2.ModelSpec(),
            data_spec=bulk_inferrer_pb2.DataSpec(),
            batch_size=batch_size,
            code_fingerprint=code_fingerprint(executor.__name__),
            inference_result=types.Channel(type=standard_artifacts.InferenceResult),
            quarantine=types.Channel(type=Quarantine),
        )
        # Past the stock constructor, which builds the stock specification.
        base_beam_component.BaseBeamComponent.__init__(self, spec=spec)
