"""The gate's rules."""

from typing import Annotated

import pydantic

from models.config import Config


class GateConfig(Config):
    """What a model must reach on the test split before it may be pushed.

    Attributes:
        min_accuracy: on all test examples.
        min_macro_f1: likewise, if given.
        max_accuracy_drop: the most that accuracy may fall below the latest blessed model's, both measured
            on this run's test examples.
        slices: features by whose values the metrics are also reported.
        slice_min_accuracy: least accuracy on every value of a feature, by the feature's name. However few
            examples a slice has, it is judged: name only features whose values are all common.
    """

    min_accuracy: float = pydantic.Field(ge=0, le=1)
    min_macro_f1: float | None = pydantic.Field(default=None, ge=0, le=1)
    max_accuracy_drop: float = pydantic.Field(default=0.01, ge=0, le=1)
    slices: tuple[str, ...] = ("label", "length_band")
    slice_min_accuracy: dict[str, Annotated[float, pydantic.Field(ge=0, le=1)]] = {}

    @pydantic.model_validator(mode="after")
    def _judged_slices_are_reported(self) -> "GateConfig":
        if unknown := sorted(set(self.slice_min_accuracy) - set(self.slices)):
            raise ValueError(f"slice_min_accuracy names {unknown}, which slices does not")
        return self
