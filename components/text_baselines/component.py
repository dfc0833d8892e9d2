"""The TextBaselines component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.fingerprint import code_fingerprint
from components.text_baselines import artifact, executor
from models.config import TaskName


class TextBaselinesSpec(ComponentSpec):
    """Inputs, outputs and parameters of TextBaselines."""

    PARAMETERS = {
        "task": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {"baselines": ChannelParameter(type=artifact.TextBaselines)}


class TextBaselines(base_component.BaseComponent):
    """What a model has to beat: the majority class and a linear SVM on TF-IDF; of numbers the mean and ridge.

    Both learn from the train split that the model learns from, and answer for the test split that it is
    judged on. The output `baselines` holds for each, `majority` and `tfidf_svm` or `mean` and `tfidf_ridge`,
    a folder with `predictions.parquet` (components.evaluator.predictions.Predictions), and `metrics.json`:
    a few metrics of each with 95 % intervals. Of a pair of texts they see the words of both together.

    Args:
        examples: raw examples with the splits train and test.
        task: what the labels are.
    """

    SPEC_CLASS = TextBaselinesSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, examples: types.BaseChannel, task: TaskName = "single_label"):
        super().__init__(
            TextBaselinesSpec(
                examples=examples,
                task=task,
                code_fingerprint=code_fingerprint(executor.__name__),
                baselines=types.Channel(type=artifact.TextBaselines),
            )
        )
