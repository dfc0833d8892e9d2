"""Second stage of the fine-tuning line: examples → tokens → a trained model."""

import dataclasses

import tfx.components
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import trainer_pb2, transform_pb2
from tfx.types import Channel

from components.mitigation.component import Mitigation
from components.trainer.run_fn import TrainerSettings
from components.transform.component import Transform
from components.transform.preprocessing import preprocessing_config
from components.tuner.config import TuningConfig
from components.tuner.tuner_fn import TunerSettings
from pipeline.configs import PipelineConfig
from pipeline.data_stage import DataStage
from pipeline.inputs import Inputs
from pipeline.warm_start import create_warm_start

_PREPROCESSING = "components.transform.preprocessing"


@dataclasses.dataclass(frozen=True)
class TrainingStage:
    """The components, in the order in which they may run; None for what the config does not ask for."""

    mitigation: Mitigation | None
    transform: Transform
    tuner: tfx.components.Tuner | None
    warm_start: BaseNode | None
    trainer: tfx.components.Trainer

    @property
    def components(self) -> list[BaseNode]:
        """All that there are."""
        every = [getattr(self, field.name) for field in dataclasses.fields(self)]
        return [component for component in every if component is not None]


def create_training_stage(
    config: PipelineConfig,
    inputs: Inputs,
    data: DataStage,
    serving_root: str,
    checkpoint_root: str,
    has_metadata: bool,
) -> TrainingStage:
    """Wires the stage, behind the checks of the data.

    Args:
        config: the run's settings.
        inputs: where data, schema, vocabulary and weights are.
        data: the stage before.
        serving_root: of the pushed versions, one of which a warm start goes on from.
        checkpoint_root: a training under way is saved below.
        has_metadata: whether a metadata store can tell of earlier runs.
    """
    mitigation = _mitigation(config, data.examples, data.schema)
    learned_from = (
        (mitigation.outputs["mitigated_examples"], mitigation.outputs["mitigated_schema"])
        if mitigation
        else (data.examples, data.schema)
    )
    transform = _transform(config, inputs, *learned_from)
    (mitigation or transform).add_upstream_nodes([data.validator, data.audit])
    settings = _trainer_settings(config, inputs, checkpoint_root)
    tuner = _tuner(config.tuning, settings, transform) if config.tuning else None
    warm_start = (
        create_warm_start(data.examples, serving_root, has_metadata=has_metadata)
        if config.model.warm_start
        else None
    )
    base_model = warm_start.outputs["model"] if warm_start else None
    trainer = _trainer(settings, transform, tuner, base_model)
    return TrainingStage(mitigation, transform, tuner, warm_start, trainer)


def _mitigation(config: PipelineConfig, examples: Channel, schema: Channel) -> Mitigation | None:
    """What the training examples pass through, if that is configured."""
    if config.mitigation is None:
        return None
    assert config.gate.fairness is not None  # PipelineConfig asks for the attribute
    attribute = config.gate.fairness.attributes[config.mitigation.attribute]
    return Mitigation(examples, schema, config.mitigation, attribute)


def _transform(
    config: PipelineConfig, inputs: Inputs, examples: Channel, schema: Channel
) -> Transform:
    settings = preprocessing_config(
        inputs.vocabulary,
        inputs.vocabulary_hash,
        config.model.max_length,
        has_weights=config.mitigation is not None,
        task=config.data.reader.task,
        pairs=config.data.reader.has_pairs,
    )
    return Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn=f"{_PREPROCESSING}.preprocessing_fn",
        stats_options_updater_fn=f"{_PREPROCESSING}.stats_options_updater_fn",
        splits_config=transform_pb2.SplitsConfig(
            analyze=["train"], transform=config.data.reader.splits.names
        ),
        custom_config=settings,
    )


def _trainer_settings(
    config: PipelineConfig, inputs: Inputs, checkpoint_root: str
) -> TrainerSettings:
    return TrainerSettings(
        vocabulary=inputs.vocabulary,
        vocabulary_hash=inputs.vocabulary_hash,
        max_length=config.model.max_length,
        pooling=config.model.pooling,
        embedding_pooling=config.model.embedding_pooling,
        task=config.data.reader.task,
        pairs=config.data.reader.has_pairs,
        weights=inputs.weights,
        weights_hash=inputs.weights_hash,
        backbone=config.model.backbone,
        warm_start=config.model.warm_start,
        training=config.training,
        checkpoints=checkpoint_root,
    )


def _tuner(
    tuning: TuningConfig, trainer: TrainerSettings, transform: Transform
) -> tfx.components.Tuner:
    return tfx.components.Tuner(
        tuner_fn="components.tuner.tuner_fn.tuner_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config=TunerSettings(trainer=trainer, tuning=tuning).model_dump(mode="json"),
    )


def _trainer(
    settings: TrainerSettings,
    transform: Transform,
    tuner: tfx.components.Tuner | None,
    base_model: Channel | None,
) -> tfx.components.Trainer:
    return tfx.components.Trainer(
        base_model=base_model,
        run_fn="components.trainer.run_fn.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config=settings.model_dump(mode="json"),
    )
