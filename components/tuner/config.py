"""What is searched for, as data; imports no TensorFlow."""

import difflib
import json
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pydantic

from models.config import Config, TrainingConfig

Value = bool | int | float | str


class Range(Config):
    """Numbers from `min` to `max`, both included.

    Attributes:
        scale: "log" draws 1e-5 … 1e-4 as often as 1e-4 … 1e-3.
    """

    min: int | float
    max: int | float
    scale: Literal["linear", "log"] = "linear"

    @pydantic.model_validator(mode="after")
    def _is_a_range(self) -> "Range":
        if self.min >= self.max:
            raise ValueError(f"min {self.min} is not below max {self.max}")
        if self.scale == "log" and self.min <= 0:
            raise ValueError(f"scale log needs a min above 0, not {self.min}")
        return self


def _kind(value: Any) -> str:
    return "range" if isinstance(value, dict | Range) else "list"


Candidates = Annotated[
    Annotated[Range, pydantic.Tag("range")]
    | Annotated[tuple[Value, ...], pydantic.Field(min_length=2), pydantic.Tag("list")],
    pydantic.Discriminator(_kind),
]


class TuningConfig(Config):
    """A search for the training settings of least eval loss.

    Attributes:
        max_trials: trainings, each from the start, with the epochs and the patience of `training`.
        algorithm: "random" draws each trial anew; "bayesian" where a Gaussian process, fitted to the trials
            so far, expects most.
        search: what to draw from, by dotted key of `training`: a list, or `{min, max, scale}`.
    """

    max_trials: int = pydantic.Field(ge=1)
    algorithm: Literal["random", "bayesian"] = "random"
    search: dict[str, Candidates] = pydantic.Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def _keys_exist(self) -> "TuningConfig":
        for key, candidates in self.search.items():
            kinds = number_kinds(key)
            if isinstance(candidates, Range) and not kinds:
                raise ValueError(
                    f"search.{key}: holds no number; give a list instead of min and max"
                )
        return self


def check_search(tuning: TuningConfig, training: TrainingConfig) -> None:
    """Builds the training settings with each value of the search.

    Raises:
        ValueError: a value is not one that its key can have beside the other settings.
    """
    if training.strategy == "multi_worker":
        raise ValueError(
            "tuning runs its trials in one process: strategy multi_worker is not for it"
        )
    extremes = {
        key: (candidates.min, candidates.max) if isinstance(candidates, Range) else candidates
        for key, candidates in tuning.search.items()
    }
    first = {key: values[0] for key, values in extremes.items()}
    for key, values in extremes.items():
        for value in values:
            try:
                apply_values(training, first | {key: value})
            except pydantic.ValidationError as error:
                raise ValueError(
                    f"tuning.search.{key}: {value!r}: {error.errors()[0]['msg']}"
                ) from None


def apply_values(training: TrainingConfig, values: Mapping[str, Value]) -> TrainingConfig:
    """The settings with some of them replaced.

    Args:
        training: the settings.
        values: by dotted key, e.g. `{"optimizer.learning_rate": 3e-5, "batch_size": 16}`.

    Raises:
        ValueError: there is no such key.
        pydantic.ValidationError: a value does not fit; text is not taken for a number.
    """
    settings = training.model_dump(mode="json")
    for key, value in values.items():
        number_kinds(key)
        *groups, name = key.split(".")
        group = settings
        for part in groups:
            group = group[part]
        group[name] = value
    return TrainingConfig.model_validate_json(json.dumps(settings), strict=True)


def number_kinds(key: str) -> set[type]:
    """Which of int and float a key of `training` can hold.

    Raises:
        ValueError: there is no such key.
    """
    keys = dict(_keys(TrainingConfig))
    if key not in keys:
        near = difflib.get_close_matches(key, keys, n=1) or difflib.get_close_matches(
            key,
            [name for name in keys if name.endswith(f".{key.rpartition('.')[2]}")],
            n=1,
            cutoff=0,
        )
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(keys)}"
        raise ValueError(f"search.{key}: no key of training; {hint}")
    return _members(keys[key]) & {int, float}


def _keys(model: type[pydantic.BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and type of each setting; groups are left out."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
            yield from _keys(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", kind


def _members(kind: Any) -> set[Any]:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return set(typing.get_args(kind))
    return {kind}
