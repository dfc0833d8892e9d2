"""The fine-tuning line: examples → statistics → validation → tokens → model → gate → served model."""

import hashlib
from pathlib import Path

import tfx.components
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2, transform_pb2
from tfx.types import Channel

from components.data_audit.component import DataAudit
from components.data_validator.component import DataValidator, Texts
from components.evaluator.component import Evaluator
from components.mitigation.component import Mitigation
from components.model_card.component import ModelCard
from components.model_card.config import Origin
from components.pusher.component import Pusher
from components.serving_validator.component import ServingValidator
from components.text_baselines.component import TextBaselines
from components.trainer.run_fn import TrainerSettings
from components.transform.preprocessing import preprocessing_config
from components.tuner.config import TuningConfig
from components.tuner.tuner_fn import TunerSettings
from pipeline.baseline import create_baseline
from pipeline.configs import ModelConfig, PipelineConfig
from pipeline.earlier_data import create_earlier_data, earlier_channels
from pipeline.example_gen import create_example_gen
from pipeline.inputs import Inputs
from pipeline.schema_gen import create_schema_gen
from pipeline.warm_start import create_warm_start

_PREPROCESSING = "components.transform.preprocessing"
_MAKES_OR_JUDGES = {"data", "model", "mitigation", "training", "tuning", "gate"}


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
    example_gen = create_example_gen(config.data.reader, inputs.data)
    examples, quarantine = example_gen.outputs["examples"], example_gen.outputs["quarantine"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    schema_gen = create_schema_gen(inputs)
    schema = schema_gen.outputs["schema"]
    earlier = create_earlier_data(
        statistics_gen.outputs["statistics"], serving_root, has_metadata=metadata is not None
    )
    validator = DataValidator(
        statistics=statistics_gen.outputs["statistics"],
        schema=schema,
        quarantine=quarantine,
        validation=config.validation,
        texts=Texts(examples, inputs.vocabulary, inputs.vocabulary_hash),
        earlier=earlier_channels(earlier),
    )
    audit = DataAudit(
        examples=examples,
        config=config.audit,
        near_duplicates=config.data.reader.splits.near_duplicates,
        pretraining=inputs.pretraining,
        task=config.data.reader.task,
    )
    audit.add_upstream_node(validator)
    mitigation = _mitigation(config, examples, schema)
    learned_from = (
        (mitigation.outputs["mitigated_examples"], mitigation.outputs["mitigated_schema"])
        if mitigation
        else (examples, schema)
    )
    transform = _transform(config, inputs, *learned_from)
    (mitigation or transform).add_upstream_nodes([validator, audit])
    settings = _trainer_settings(config, inputs, checkpoint_root)
    tuner = _tuner(config.tuning, settings, transform) if config.tuning else None
    warm_start = (
        create_warm_start(examples, serving_root, has_metadata=metadata is not None)
        if config.model.warm_start
        else None
    )
    trainer = _trainer(
        settings, transform, tuner, warm_start.outputs["model"] if warm_start else None
    )
    model = trainer.outputs["model"]
    baselines = TextBaselines(examples=examples, task=config.data.reader.task)
    baselines.add_upstream_node(audit)
    baseline = create_baseline(model, serving_root, has_metadata=metadata is not None)
    evaluator = Evaluator(
        examples=examples,
        model=model,
        baseline_model=baseline.outputs["model"],
        schema=schema,
        gate=config.judged_by,
        task=config.data.reader.task,
        baselines=baselines.outputs["baselines"],
    )
    serving_validator = ServingValidator(
        model=model,
        examples=examples,
        num_examples=config.serving_validation.num_examples,
        tolerance=config.serving_validation.tolerance,
    )
    model_card = ModelCard(
        model=model,
        evaluation=evaluator.outputs["evaluation"],
        infra_blessing=serving_validator.outputs["blessing"],
        examples=examples,
        quarantine=quarantine,
        audit=audit.outputs["audit"],
        statistics=statistics_gen.outputs["statistics"],
        anomalies=validator.outputs["anomalies"],
        origin=_origin(config, inputs),
        stated=config.model_card,
    )
    pusher = Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_validator.outputs["blessing"],
        model_card=model_card.outputs["model_card"],
        base_directory=serving_root,
        config=config.push,
    )
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=pipeline_root,
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            earlier,
            validator,
            audit,
            *([mitigation] if mitigation else []),
            transform,
            *([tuner] if tuner else []),
            *([warm_start] if warm_start else []),
            trainer,
            baselines,
            baseline,
            evaluator,
            serving_validator,
            model_card,
            pusher,
        ],
        enable_cache=True,
        metadata_connection_config=metadata,
        beam_pipeline_args=list(config.beam_args),
    )


def _mitigation(config: PipelineConfig, examples: Channel, schema: Channel) -> Mitigation | None:
    """What the training examples pass through, if that is configured."""
    if config.mitigation is None:
        return None
    assert config.gate.fairness is not None  # PipelineConfig asks for the attribute
    attribute = config.gate.fairness.attributes[config.mitigation.attribute]
    return Mitigation(examples, schema, config.mitigation, attribute)


def _transform(
    config: PipelineConfig, inputs: Inputs, examples: Channel, schema: Channel
) -> tfx.components.Transform:
    settings = preprocessing_config(
        inputs.vocabulary,
        inputs.vocabulary_hash,
        config.model.max_length,
        has_weights=config.mitigation is not None,
        task=config.data.reader.task,
        pairs=config.data.reader.has_pairs,
    )
    return tfx.components.Transform(
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
    tuning: TuningConfig, trainer: TrainerSettings, transform: tfx.components.Transform
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
    transform: tfx.components.Transform,
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


def _origin(config: PipelineConfig, inputs: Inputs) -> Origin:
    """What the card says of the model's making."""
    settings = config.model_dump_json(include=_MAKES_OR_JUDGES)
    return Origin(
        name=config.name,
        data=config.data.dataset or Path(str(config.data.path)).name,
        weights=_weights(config.model),
        weights_hash=inputs.weights_hash,
        vocabulary_hash=inputs.vocabulary_hash,
        training=config.training,
        settings_hash=hashlib.sha256(settings.encode()).hexdigest(),
    )


def _weights(model: ModelConfig) -> str | None:
    """What the encoder starts from, by a name that means something elsewhere too."""
    if model.pretrained:
        return f"{model.pretrained.pipeline}, run {model.pretrained.run}"
    return Path(model.weights).name if model.weights else None
