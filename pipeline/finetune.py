"""The fine-tuning line: examples → statistics → validation → tokens → model → gate → served model."""

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.pipeline import Pipeline

from pipeline.configs import PipelineConfig
from pipeline.data_stage import create_data_stage
from pipeline.inputs import Inputs
from pipeline.release_stage import create_release_stage
from pipeline.training_stage import create_training_stage


def create_finetune_pipeline(
    config: PipelineConfig,
    inputs: Inputs,
    pipeline_root: str,
    serving_root: str,
    checkpoint_root: str,
    metadata: metadata_store_pb2.ConnectionConfig | None = None,
) -> Pipeline:
    """Builds the graph; nothing is read and nothing runs.

    Args:
        config: the run's settings.
        inputs: where data, schema, vocabulary and weights are.
        pipeline_root: artifacts are written below.
        serving_root: blessed models are pushed below, each as a version.
        checkpoint_root: a training under way is saved below.
        metadata: the MLMD store; None where the runner brings its own.
    """
    has_metadata = metadata is not None
    data = create_data_stage(config, inputs, serving_root, has_metadata)
    training = create_training_stage(
        config, inputs, data, serving_root, checkpoint_root, has_metadata
    )
    model = training.trainer.outputs["model"]
    release = create_release_stage(config, inputs, data, model, serving_root, has_metadata)
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=pipeline_root,
        components=[*data.components, *training.components, *release.components],
        enable_cache=True,
        metadata_connection_config=metadata,
        beam_pipeline_args=list(config.beam_args),
    )
