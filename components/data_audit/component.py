"""The DataAudit component."""

import dataclasses
import json

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.data_audit import artifact, executor
from components.data_audit.config import AuditConfig, Pretraining
from components.fingerprint import code_fingerprint
from components.near_duplicates.config import NearDuplicateConfig
from models.config import TaskName


class DataAuditSpec(ComponentSpec):
    """Inputs, outputs and parameters of DataAudit."""

    PARAMETERS = {
        "config": ExecutionParameter(type=str),
        "near_duplicates": ExecutionParameter(type=str),
        "pretraining": ExecutionParameter(type=str),
        "task": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {"audit": ChannelParameter(type=artifact.DataAudit)}


class DataAudit(base_beam_component.BaseBeamComponent):
    """Looks for what makes a test figure too good: the same texts in train and test, or in pretraining.

    The output `audit` holds `audit.json` (components.data_audit.report.Audit): exact and near duplicates
    within and across splits, label conflicts among them, their clusters, the worst pairs, and the test
    examples that the encoder may have seen. Without limits the audit only tells; with one it stops the line.

    Args:
        examples: raw examples of all splits.
        config: the limits.
        near_duplicates: what counts as one.
        pretraining: what is known of the documents that the encoder was pretrained on.
        task: what the labels are.
    """

    SPEC_CLASS = DataAuditSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        config: AuditConfig,
        near_duplicates: NearDuplicateConfig,
        pretraining: Pretraining,
        task: TaskName = "single_label",
    ):
        super().__init__(
            DataAuditSpec(
                examples=examples,
                config=config.model_dump_json(),
                near_duplicates=near_duplicates.model_dump_json(),
                pretraining=json.dumps(dataclasses.asdict(pretraining)),
                task=task,
                code_fingerprint=code_fingerprint(executor.__name__),
                audit=types.Channel(type=artifact.DataAudit),
            )
        )
