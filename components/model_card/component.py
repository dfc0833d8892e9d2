"""The ModelCard component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.data_audit.artifact import DataAudit
from components.example_gen.quarantine import Quarantine
from components.fingerprint import code_fingerprint
from components.model_card import executor
from components.model_card.artifact import ModelCard as ModelCardArtifact
from components.model_card.config import ModelCardConfig, Origin


class ModelCardSpec(ComponentSpec):
    """Inputs, outputs and parameters of ModelCard."""

    PARAMETERS = {
        "origin": ExecutionParameter(type=str),
        "stated": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing),
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "quarantine": ChannelParameter(type=Quarantine),
        "audit": ChannelParameter(type=DataAudit),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
    }
    OUTPUTS = {"model_card": ChannelParameter(type=ModelCardArtifact)}


class ModelCard(base_component.BaseComponent):
    """Writes a model card (arXiv 1810.03993) as Markdown and as the Model Card Toolkit's JSON.

    It is written for a model that is not blessed too, and then says why.

    Args:
        model: the Trainer's.
        evaluation: the Evaluator's, with its `verdict.json`.
        infra_blessing: the ServingValidator's.
        examples: raw examples; their data's fingerprint is taken.
        quarantine: the counts of the data's rows.
        audit: what was found of duplicates and leakage.
        statistics: of the examples.
        anomalies: the DataValidator's, with its `drift.json`.
        origin: what the model was made of.
        stated: what only people know of it.
    """

    SPEC_CLASS = ModelCardSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        evaluation: types.BaseChannel,
        infra_blessing: types.BaseChannel,
        examples: types.BaseChannel,
        quarantine: types.BaseChannel,
        audit: types.BaseChannel,
        statistics: types.BaseChannel,
        anomalies: types.BaseChannel,
        origin: Origin,
        stated: ModelCardConfig,
    ):
        super().__init__(
            ModelCardSpec(
                model=model,
                evaluation=evaluation,
                infra_blessing=infra_blessing,
                examples=examples,
                quarantine=quarantine,
                audit=audit,
                statistics=statistics,
                anomalies=anomalies,
                origin=origin.model_dump_json(),
                stated=stated.model_dump_json(),
                code_fingerprint=code_fingerprint(executor.__name__),
                model_card=types.Channel(type=ModelCardArtifact),
            )
        )
