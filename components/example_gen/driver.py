"""TFX's driver of ExampleGen, which also knows windows of spans."""

import json
import os
from typing import Any

from tfx.components.example_gen import driver as tfx_driver
from tfx.components.example_gen import utils
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.types import standard_component_specs
from tfx.utils import io_utils, proto_utils

from components.example_gen.config import WindowConfig
from components.example_gen.spans import find_spans, window

READER_CONFIG_KEY = "reader_config"
SPANS_PROPERTY = "spans"  # of the examples: the numbers of the spans read, the oldest first


class Driver(tfx_driver.FileBasedDriver):
    """Resolves the spans of a window, and fingerprints the files of all of them.

    TFX's own driver reads one span ("ExampleGen only support single span for RangeConfig.RollingRange").
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Puts into `input_config` a split for each span of the window, whose pattern is the span's.

        Where the reader's settings have no `spans`, it does what TFX's driver does.

        Raises:
            components.example_gen.records.InputError: there is no span to read.
        """
        reader = json.loads(exec_properties[READER_CONFIG_KEY])
        if reader["spans"] is None:
            return super().resolve_exec_properties(exec_properties, pipeline_info, component_info)
        folder = exec_properties[standard_component_specs.INPUT_BASE_KEY]
        settings = WindowConfig.model_validate(reader["spans"])
        spans = window(find_spans(folder, reader["pattern"]), settings)
        splits = [
            example_gen_pb2.Input.Split(name=f"span-{span.number}", pattern=span.pattern)
            for span in spans
        ]
        fingerprints = [
            io_utils.generate_fingerprint(split.name, os.path.join(folder, split.pattern))
            for split in splits
        ]
        return exec_properties | {
            standard_component_specs.INPUT_CONFIG_KEY: proto_utils.proto_to_json(
                example_gen_pb2.Input(splits=splits)
            ),
            utils.SPAN_PROPERTY_NAME: spans[-1].number,
            utils.VERSION_PROPERTY_NAME: spans[-1].version,
            utils.FINGERPRINT_PROPERTY_NAME: "\n".join(fingerprints),
        }
