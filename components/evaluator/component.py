"""TFX's Evaluator, with our gate and a cache key that sees its code."""

from tfx import types
from tfx.components import Evaluator as TfxEvaluator
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.standard_component_specs import EvaluatorSpec as TfxEvaluatorSpec
from tfx.utils import json_utils

from components.evaluator import executor
from components.evaluator.config import GateConfig
from components.evaluator.eval_config import build_eval_config
from components.fingerprint import code_fingerprint
from components.text_baselines.artifact import TextBaselines
from models.config import TaskName


class EvaluatorSpec(TfxEvaluatorSpec):
    """The stock specification, the gate and the code's fingerprint."""

    PARAMETERS = {
        **TfxEvaluatorSpec.PARAMETERS,
        executor.GATE_KEY: ExecutionParameter(type=str),
        executor.TASK_KEY: ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        **TfxEvaluatorSpec.INPUTS,
        executor.BASELINES_KEY: ChannelParameter(type=TextBaselines, optional=True),
    }


class Evaluator(TfxEvaluator):
    """Measures the candidate on the test split and blesses it if the gate's rules are met.

    Output `evaluation` is what TFX's Evaluator writes (`tfma.load_eval_result` and TFMA's views open it),
    with `predictions.parquet` (what the candidate said of each example; of the latest blessed model
    `blessed_model/predictions.parquet`) and `verdict.json` (`components.evaluator.verdict.Verdict`).
    Output `blessing` is the stock one; if the model is not blessed, its custom properties `reasons` and
    `failed_rules` say why.

    Args:
        examples: raw examples with a `test` split.
        model: the candidate.
        baseline_model: the model to compare with; none resolved means no comparison.
        schema: of the examples.
        gate: thresholds and slices.
        task: what labels and answers are.
        baselines: predictions of simple models on the same examples, to compare with.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel,
        schema: types.BaseChannel,
        gate: GateConfig,
        task: TaskName = "single_label",
        baselines: types.BaseChannel | None = None,
    ):
        spec = EvaluatorSpec(
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            schema=schema,
            baselines=baselines,
            example_splits=json_utils.dumps(["test"]),
            fairness_indicator_thresholds=json_utils.dumps(None),
            eval_config=build_eval_config(gate.slices, task),
            gate=gate.model_dump_json(),
            task=task,
            code_fingerprint=code_fingerprint(executor.__name__),
            evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
            blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        )
        # Past the stock constructor, which builds the stock specification.
        base_beam_component.BaseBeamComponent.__init__(self, spec=spec)
