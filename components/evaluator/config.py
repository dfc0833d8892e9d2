"""The gate's rules."""

from typing import Annotated, Literal

import pydantic

from components.evaluator.fairness.config import FairnessConfig
from components.evaluator.names import KNOWN_METRICS
from models.config import Config

Share = Annotated[float, pydantic.Field(ge=0, le=1)]


class AgainstConfig(Config):
    """What the paired difference to another model must be, candidate minus other on the same examples.

    Attributes:
        rule: "not_shown_worse": the 95 % interval must not lie wholly below 0; a difference that may be
            noise passes. "not_worse": the whole interval must be above -margin; what may be noise passes
            only if it is smaller than the margin. "better": the whole interval must be above margin; a gain
            that may be noise does not pass.
        margin: a share of the examples, or of numbers an absolute error in their own units; "not_worse" needs
            one, "not_shown_worse" has none.
    """

    rule: Literal["not_shown_worse", "not_worse", "better"] = "not_shown_worse"
    margin: float = pydantic.Field(default=0.0, ge=0)

    @pydantic.model_validator(mode="after")
    def _margin_fits_rule(self) -> "AgainstConfig":
        if self.rule == "not_worse" and self.margin == 0:
            raise ValueError(
                "margin is missing: not_worse asks that the candidate be worse by less than margin"
            )
        if self.rule == "not_shown_worse" and self.margin:
            raise ValueError(
                "margin has no meaning for rule not_shown_worse; use not_worse, which has one"
            )
        return self


class GateConfig(Config):
    """What a model must reach on the test split before it may be pushed.

    A threshold is met only if the metric's whole 95 % interval is on the right side of it: with few examples
    a value above the threshold is not enough.

    Attributes:
        min_accuracy: on all test examples.
        min_macro_f1: likewise.
        min: least values of other metrics on all test examples, by the metric's name.
        max: likewise the largest values.
        slices: features by whose values the metrics are also reported.
        slice_min_accuracy: least accuracy on every value of a feature, by the feature's name, or on one
            value, by "feature=value".
        min_examples: a slice of fewer informs, but blocks nothing.
        against_blessed: what is asked of the accuracy (of numbers, of the absolute error) compared with the
            latest blessed model's.
        against_svm: likewise with that of a TF-IDF + linear SVM (of numbers, ridge) on the same training
            rows, if given.
        fairness: groups that are compared, and how far apart they may be.
    """

    min_accuracy: Share | None = None
    min_macro_f1: Share | None = None
    min: dict[str, float] = {}
    max: dict[str, float] = {}
    slices: tuple[str, ...] = ("label", "length_band")
    slice_min_accuracy: dict[str, Share] = {}
    min_examples: int = pydantic.Field(default=30, ge=1)
    against_blessed: AgainstConfig = AgainstConfig()
    against_svm: AgainstConfig | None = None
    fairness: FairnessConfig | None = None

    @property
    def floors(self) -> dict[str, float]:
        """Least values on all test examples, by metric."""
        named = {"accuracy": self.min_accuracy, "macro_f1": self.min_macro_f1}
        return {name: bound for name, bound in named.items() if bound is not None} | self.min

    @pydantic.model_validator(mode="after")
    def _asks_for_something(self) -> "GateConfig":
        if not (self.floors or self.max):
            raise ValueError(
                "the gate asks for nothing: give min_accuracy, min_macro_f1, min or max"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _metrics_are_known(self) -> "GateConfig":
        for name in (*self.min, *self.max):
            if name.partition(":")[0] not in KNOWN_METRICS:
                raise ValueError(
                    f"no metric is called {name!r}; there are {', '.join(KNOWN_METRICS)}"
                )
        return self

    @pydantic.model_validator(mode="after")
    def _judged_slices_are_reported(self) -> "GateConfig":
        judged = {name.partition("=")[0] for name in self.slice_min_accuracy}
        if unknown := sorted(judged - set(self.slices)):
            raise ValueError(f"slice_min_accuracy names {unknown}, which slices does not")
        return self
