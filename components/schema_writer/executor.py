"""Writes the schema."""

import os
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

SCHEMA_FILE = "schema.pbtxt"  # as TFX's ImportSchemaGen names it


class Executor(base_executor.BaseExecutor):
    """Writes `schema`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `schema.pbtxt`.

        Args:
            input_dict: nothing.
            output_dict: `schema`, one artifact.
            exec_properties: `schema_text`, a text proto.

        Raises:
            google.protobuf.text_format.ParseError: it is none.
        """
        schema = text_format.Parse(exec_properties["schema_text"], schema_pb2.Schema())
        folder = artifact_utils.get_single_uri(output_dict["schema"])
        io_utils.write_pbtxt_file(os.path.join(folder, SCHEMA_FILE), schema)
