"""The TextBaselines component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.fingerprint import code_fingerprint
from components.text_baselines import artifact, executor


class TextBaselinesSpec(ComponentSpec):
    """Inputs, outputs and parameters of TextBaselines."""

    PARAMETERS = {"code_fingerprint": ExecutionParameter(type=str)}
    INPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {"baselines": ChannelParameter(type=artifact.TextBaselines)}


class TextBaselines(base_component.BaseComponent):
    """What a model has to beat: the majority class, and TF-IDF with a linear SVM.

    Both learn from the train split that the model learns from, and answer for the test split that it is
    judged on. The output `baselines` holds for each, `majority` and `tfidf_svm`, a folder with
    `predictions.parquet` (components.evaluator.predictions.Predictions), and `metrics.json` with accuracy and
    macro-F1 of each, with their 95 % intervals.

    Args:
        examples: raw examples with the splits train and test.
    """

    SPEC_CLASS = TextBaselinesSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, examples: types.BaseChannel):
        super().__init__(
            TextBaselinesSpec(
                examples=examples,
                code_fingerprint=code_fingerprint(executor.__name__),
                baselines=types.Channel(type=artifact.TextBaselines),
            )
        )
