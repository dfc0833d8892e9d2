"""The settings of a few-shot run."""

import pydantic

from models.config import Config
from pipeline.configs import LabelledDataConfig, Name, PretrainedConfig


class PromptConfig(Config):
    """What is asked, and how often.

    Attributes:
        examples_per_class: examples of each label in the prompt.
        template: how an example reads, with "{text}" and, at its end, " {label}".
        wording: how labels read, where their names are no words of the model's language.
        tests: how many test texts are asked.
        seeds: how many times, each with other examples.
    """

    examples_per_class: int = pydantic.Field(default=1, ge=1)
    template: str = "{text} topic {label}"
    wording: dict[str, str] = {}
    tests: int = pydantic.Field(default=200, ge=1)
    seeds: int = pydantic.Field(default=5, ge=2)

    @pydantic.field_validator("template")
    @classmethod
    def _has_places(cls, template: str) -> str:
        if "{text}" not in template or not template.endswith(" {label}"):
            raise ValueError('expected "{text}", and " {label}" at the end')
        return template


class FewShotConfig(Config):
    """Classification through the prompt of a GPT: nothing is trained.

    Attributes:
        name: of the run's folder.
        pretrained: the GPT, pushed by the pretraining line.
        data: texts and labels; examples are drawn from the splits train and eval, tests from test.
        few_shot: what is asked.
        root: folder of all runs.
    """

    name: Name
    pretrained: PretrainedConfig
    data: LabelledDataConfig
    few_shot: PromptConfig = PromptConfig()
    root: str = "runs"

    @pydantic.model_validator(mode="after")
    def _records_stand_alone(self) -> "FewShotConfig":
        splits = self.data.reader.splits
        if splits.group_column or splits.group_near_duplicates:
            raise ValueError("data: records of a few-shot run cannot be grouped; use splits by key")
        if self.data.reader.task != "single_label" or self.data.reader.has_pairs:
            raise ValueError("data: a few-shot run asks for the one class of a single text")
        return self
