"""Last stage of the fine-tuning line: a trained model → judged → pushed."""

import dataclasses
import hashlib
from pathlib import Path

from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import Channel

from components.evaluator.component import Evaluator
from components.model_card.component import ModelCard
from components.model_card.config import Origin
from components.pusher.component import Pusher
from components.serving_validator.component import ServingValidator
from components.text_baselines.component import TextBaselines
from pipeline.baseline import create_baseline
from pipeline.configs import ModelConfig, PipelineConfig
from pipeline.data_stage import DataStage
from pipeline.inputs import Inputs

_MAKES_OR_JUDGES = {"data", "model", "mitigation", "training", "tuning", "gate"}


@dataclasses.dataclass(frozen=True)
class ReleaseStage:
    """The components, in the order in which they may run."""

    baselines: TextBaselines
    baseline: BaseNode
    evaluator: Evaluator
    serving_validator: ServingValidator
    model_card: ModelCard
    pusher: Pusher

    @property
    def components(self) -> list[BaseNode]:
        """All of them."""
        return [getattr(self, field.name) for field in dataclasses.fields(self)]


def create_release_stage(
    config: PipelineConfig,
    inputs: Inputs,
    data: DataStage,
    model: Channel,
    serving_root: str,
    has_metadata: bool,
) -> ReleaseStage:
    """Wires the stage.

    Args:
        config: the run's settings.
        inputs: where data, schema, vocabulary and weights are.
        data: the first stage, whose test examples judge.
        model: the candidate.
        serving_root: blessed models are pushed below, each as a version.
        has_metadata: whether a metadata store can tell of earlier runs.
    """
    task = config.data.reader.task
    baselines = TextBaselines(examples=data.examples, task=task)
    baselines.add_upstream_node(data.audit)
    baseline = create_baseline(model, serving_root, has_metadata=has_metadata)
    evaluator = Evaluator(
        examples=data.examples,
        model=model,
        baseline_model=baseline.outputs["model"],
        schema=data.schema,
        gate=config.judged_by,
        task=task,
        baselines=baselines.outputs["baselines"],
    )
    serving_validator = ServingValidator(
        model=model,
        examples=data.examples,
        num_examples=config.serving_validation.num_examples,
        tolerance=config.serving_validation.tolerance,
    )
    model_card = _model_card(config, inputs, data, model, evaluator, serving_validator)
    pusher = Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_validator.outputs["blessing"],
        model_card=model_card.outputs["model_card"],
        base_directory=serving_root,
        config=config.push,
    )
    return ReleaseStage(baselines, baseline, evaluator, serving_validator, model_card, pusher)


def _model_card(
    config: PipelineConfig,
    inputs: Inputs,
    data: DataStage,
    model: Channel,
    evaluator: Evaluator,
    serving_validator: ServingValidator,
) -> ModelCard:
    return ModelCard(
        model=model,
        evaluation=evaluator.outputs["evaluation"],
        infra_blessing=serving_validator.outputs["blessing"],
        examples=data.examples,
        quarantine=data.example_gen.outputs["quarantine"],
        audit=data.audit.outputs["audit"],
        statistics=data.statistics_gen.outputs["statistics"],
        anomalies=data.validator.outputs["anomalies"],
        origin=_origin(config, inputs),
        stated=config.model_card,
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
