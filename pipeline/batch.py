"""The batch line: texts → examples → the model's answers → JSON Lines or Parquet.

A TFX pipeline rather than its executors one after the other: what is read and what is answered is cached
(another format, or a run that was killed while writing, asks the model nothing), and MLMD knows which model
gave which answers. It has a metadata store of its own, so that the training line finds none of its artifacts.
"""

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components.bulk_inferrer.component import BulkInferrer
from components.prediction_writer.artifact import Format
from components.prediction_writer.component import PredictionWriter
from pipeline.batch_input import BatchInput
from pipeline.batch_model import BatchModel
from pipeline.configs import PipelineConfig
from pipeline.example_gen import create_example_gen


def create_batch_pipeline(
    config: PipelineConfig,
    texts: BatchInput,
    model: BatchModel,
    batch_size: int,
    file_format: Format,
    pipeline_root: str,
    metadata: metadata_store_pb2.ConnectionConfig,
) -> Pipeline:
    """Builds the graph; nothing is read and nothing runs.

    Args:
        config: of the model's line: its name and Beam's options.
        texts: what the model is asked about.
        model: which is asked.
        batch_size: texts that are asked about at once.
        file_format: of the answers.
        pipeline_root: artifacts are written below.
        metadata: the MLMD store.
    """
    example_gen = create_example_gen(texts.reader, texts.folder, undivided=True)
    importer = Importer(
        source_uri=str(model.path),
        artifact_type=standard_artifacts.Model,
        custom_properties={"version": model.version, "sha256": model.sha256},
    ).with_id("Model")
    inferrer = BulkInferrer(
        examples=example_gen.outputs["examples"],
        model=importer.outputs["result"],
        batch_size=batch_size,
    )
    writer = PredictionWriter(inferrer.outputs["inference_result"], model.task, file_format)
    return Pipeline(
        pipeline_name=f"{config.name}_batch",
        pipeline_root=pipeline_root,
        components=[example_gen, importer, inferrer, writer],
        enable_cache=True,
        metadata_connection_config=metadata,
        beam_pipeline_args=list(config.beam_args),
    )
