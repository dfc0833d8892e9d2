"""The gate's rules."""

import pydantic

from models.config import Config


class GateConfig(Config):
    """What a model must reach on the test split before it may be pushed.

    `slice_min_accuracy` holds for every value of every slice. Slices of fewer than `slice_min_examples`
    examples are neither reported nor judged.
    """

    min_accuracy: float = pydantic.Field(ge=0, le=1)
    min_macro_f1: float | None = pydantic.Field(default=None, ge=0, le=1)
    max_accuracy_drop: float = pydantic.Field(default=0.01, ge=0, le=1)
    slices: tuple[str, ...] = ("label", "length_band")
    slice_min_accuracy: float | None = pydantic.Field(default=None, ge=0, le=1)
    slice_min_examples: int = pydantic.Field(default=20, ge=1)
