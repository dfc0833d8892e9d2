"""The Mitigation component."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.evaluator.fairness.config import AttributeConfig
from components.fingerprint import code_fingerprint
from components.mitigation import executor
from components.mitigation.config import MitigationConfig


class MitigationSpec(ComponentSpec):
    """Inputs, outputs and parameters of Mitigation."""

    PARAMETERS = {
        "config": ExecutionParameter(type=str),
        "attribute": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {
        "mitigated_examples": ChannelParameter(type=standard_artifacts.Examples),
        "mitigated_schema": ChannelParameter(type=standard_artifacts.Schema),
    }


class Mitigation(base_beam_component.BaseBeamComponent):
    """Weighs or augments the training examples, so that a group tells less of the label.

    Stands between ExampleGen and Transform. All splits are in the output, but only train differs: its rows
    have the float feature `example_weight`, and copies with swapped words follow their originals, their keys
    ending in "#swapped". What was counted is in `mitigation.json` beside the splits.

    Args:
        examples: of an ExampleGen.
        schema: of these.
        config: what is done.
        attribute: the rule of the groups that `config` names.
    """

    SPEC_CLASS = MitigationSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        schema: types.BaseChannel,
        config: MitigationConfig,
        attribute: AttributeConfig,
    ):
        super().__init__(
            MitigationSpec(
                examples=examples,
                schema=schema,
                config=config.model_dump_json(),
                attribute=attribute.model_dump_json(),
                code_fingerprint=code_fingerprint(executor.__name__),
                mitigated_examples=types.Channel(type=standard_artifacts.Examples),
                mitigated_schema=types.Channel(type=standard_artifacts.Schema),
            )
        )
