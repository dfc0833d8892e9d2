"""The pretraining line: documents → vocabulary → rows of tokens → language model → gate → pushed backbone."""

import tfx.components
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2
from tfx.types import Channel

from components.data_validator.component import DataValidator
from components.fingerprint import code_fingerprint
from components.language_model_evaluator.component import LanguageModelEvaluator
from components.pretrain_example_gen.component import PretrainExampleGen
from components.pretrain_trainer.config import PretrainSettings
from components.pusher.component import Pusher
from components.serving_validator.component import ServingValidator
from components.statistics_gen.component import StatisticsGen
from components.vocabulary_gen.component import VocabularyGen
from components.vocabulary_gen.config import VocabularyConfig
from pipeline.example_gen import create_example_gen
from pipeline.inputs import PretrainInputs
from pipeline.pretrain_config import PretrainConfig
from pipeline.schema_gen import create_schema_gen

_RUN_FN = "components.pretrain_trainer.run_fn"


def create_pretrain_pipeline(
    config: PretrainConfig,
    inputs: PretrainInputs,
    pipeline_root: str,
    serving_root: str,
    checkpoint_root: str,
    metadata: metadata_store_pb2.ConnectionConfig | None = None,
) -> Pipeline:
    """Builds the graph; nothing is read and nothing runs.

    Args:
        config: the run's settings.
        inputs: where data, schema and, if given, weights and vocabulary are.
        pipeline_root: artifacts are written below.
        serving_root: blessed models are pushed below, each as a version.
        checkpoint_root: a training under way is saved below.
        metadata: the MLMD store; None where the runner brings its own.
    """
    example_gen = create_example_gen(config.data.reader, inputs.data)
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples)
    schema_gen = create_schema_gen(inputs)
    validator = DataValidator(
        statistics=statistics_gen.outputs["statistics"],
        schema=schema_gen.outputs["schema"],
        quarantine=example_gen.outputs["quarantine"],
        validation=config.validation,
    )
    vocabulary_gen = VocabularyGen(
        examples=examples,
        config=_vocabulary(config, inputs),
        files_fingerprint=inputs.vocabulary_hash or "",
    )
    vocabulary_gen.add_upstream_node(validator)
    pretrain_example_gen = PretrainExampleGen(
        examples=examples,
        vocabulary=vocabulary_gen.outputs["vocabulary"],
        config=config.examples,
    )
    rows = pretrain_example_gen.outputs["pretrain_examples"]
    settings = PretrainSettings(
        is_causal=config.is_causal,
        model=config.model.model_copy(update={"weights": inputs.weights}),
        weights_hash=inputs.weights_hash,
        training=config.training,
        checkpoints=checkpoint_root,
        code_fingerprint=code_fingerprint(_RUN_FN),
    )
    trainer = tfx.components.Trainer(
        run_fn=f"{_RUN_FN}.run_fn",
        examples=rows,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config=settings.model_dump(mode="json"),
    )
    evaluator = LanguageModelEvaluator(
        examples=rows, model=trainer.outputs["model"], gate=config.gate, settings=settings
    )
    serving_validator = _serving_validator(config, trainer, examples)
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_validator.outputs["blessing"] if serving_validator else None,
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
            validator,
            vocabulary_gen,
            pretrain_example_gen,
            trainer,
            evaluator,
            *([serving_validator] if serving_validator else []),
            pusher,
        ],
        enable_cache=True,
        metadata_connection_config=metadata,
        beam_pipeline_args=list(config.beam_args),
    )


def _serving_validator(
    config: PretrainConfig, trainer: tfx.components.Trainer, examples: Channel
) -> ServingValidator | None:
    """Of a GPT; a BERT is pushed as a folder to fine-tune from, which nobody serves."""
    if not config.is_causal:
        return None
    return ServingValidator(
        model=trainer.outputs["model"],
        examples=examples,
        num_examples=config.serving_validation.num_examples,
        tolerance=config.serving_validation.tolerance,
    )


def _vocabulary(config: PretrainConfig, inputs: PretrainInputs) -> VocabularyConfig:
    """What was asked for, or the import of the vocabulary that the weights bring."""
    if config.vocabulary is None:
        return VocabularyConfig(path=inputs.vocabulary)
    return config.vocabulary.model_copy(update={"path": inputs.vocabulary})
