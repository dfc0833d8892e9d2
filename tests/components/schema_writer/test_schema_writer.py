"""The schema is written as it was given."""

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from components.data_validator.schema import build_schema
from components.schema_writer.executor import Executor


def test_schema_is_where_components_look_for_it(tmp_path):
    schema = build_schema({"text": "bytes", "age": "int64"}, ["age"], None)
    output = standard_artifacts.Schema()
    output.uri = str(tmp_path)
    text = text_format.MessageToString(schema)
    Executor().Do({}, {"schema": [output]}, {"schema_text": text})
    read = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(output.uri))
    assert read == schema
    assert isinstance(read, schema_pb2.Schema)


def test_what_is_no_schema_is_refused(tmp_path):
    output = standard_artifacts.Schema()
    output.uri = str(tmp_path)
    with pytest.raises(text_format.ParseError):
        Executor().Do({}, {"schema": [output]}, {"schema_text": "feature: 1"})
    assert not list(tmp_path.iterdir())
