"""The graph as TFX compiles it."""

import pytest
from google.protobuf import text_format
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler.compiler import Compiler

from pipeline.finetune import create_finetune_pipeline
from pipeline.inputs import find_inputs


@pytest.fixture(scope="session")
def compiled():
    """A function of a config: the fine-tuning graph's nodes, as text by id."""

    def nodes(config) -> dict[str, str]:
        pipeline = create_finetune_pipeline(
            config,
            find_inputs(config),
            "root",
            "serving",
            "checkpoints",
            metadata_store_pb2.ConnectionConfig(),
        )
        compiled = [node.pipeline_node for node in Compiler().compile(pipeline).nodes]
        return {node.node_info.id: text_format.MessageToString(node) for node in compiled}

    return nodes
