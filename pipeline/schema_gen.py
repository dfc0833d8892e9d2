"""The component that brings the schema."""

from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen

from components.schema_writer.component import SchemaWriter
from pipeline.inputs import Inputs, PretrainInputs


def create_schema_gen(inputs: Inputs | PretrainInputs) -> ImportSchemaGen | SchemaWriter:
    """Imports the schema's file, or writes the schema where that file cannot be seen."""
    if inputs.schema_text is not None:
        return SchemaWriter(inputs.schema_text)
    return ImportSchemaGen(schema_file=inputs.schema)
