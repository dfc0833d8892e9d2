"""The SchemaWriter component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.schema_writer import executor


class SchemaWriterSpec(ComponentSpec):
    """Outputs and parameters of SchemaWriter."""

    PARAMETERS = {"schema_text": ExecutionParameter(type=str)}
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"schema": ChannelParameter(type=standard_artifacts.Schema)}


class SchemaWriter(base_component.BaseComponent):
    """TFX's ImportSchemaGen for a machine that does not see the file: the schema itself is the parameter.

    Args:
        schema: a text proto.
    """

    SPEC_CLASS = SchemaWriterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, schema: str):
        output = types.Channel(type=standard_artifacts.Schema)
        super().__init__(SchemaWriterSpec(schema_text=schema, schema=output))
