"""When data is too bad to go on with."""

import pydantic

from models.config import Config


class ValidationConfig(Config):
    """Limits that stop the line.

    Attributes:
        max_bad_fraction: the most quarantined rows, as a share of all rows read.
        min_split_examples: the fewest examples in each split.
        max_label_skew: the most that any label's share may differ between train and another split
            (L∞ distance of the two distributions), beyond what chance explains: two standard errors of
            the difference of two shares of a half are allowed on top.
        max_drift: the same against the baseline's train split, for label and length band.
        baseline_statistics: folder of an earlier run's StatisticsGen artifact to measure drift against.
    """

    max_bad_fraction: float = pydantic.Field(default=0.01, ge=0, le=1)
    min_split_examples: int = pydantic.Field(default=1, ge=1)
    max_label_skew: float = pydantic.Field(default=0.15, gt=0, le=1)
    max_drift: float = pydantic.Field(default=0.15, gt=0, le=1)
    baseline_statistics: str | None = None
