"""When data is too bad to go on with."""

from typing import Literal

import pydantic

from models.config import Config


class ValidationConfig(Config):
    """Limits that stop the line.

    Attributes:
        max_bad_fraction: the most quarantined rows, as a share of all rows read.
        min_split_examples: the fewest examples in each split.
        max_label_skew: the most that any label's share may differ between train and another split
            (L∞ distance of the two distributions), beyond what chance explains: two standard errors of
            the difference of two shares of a half are allowed on top. Of labels that are numbers the means
            may differ so much, in standard deviations of the train split, with two standard errors on top.
        max_drift: the same against an earlier train split, for label and length band; of a window of several
            spans also for its newest span alone.
        baseline_statistics: folder of an earlier run's StatisticsGen artifact to measure drift against,
            without an allowance for chance; drift against it stops the line.
        drift: whether drift against the data of the last blessed model warns or stops the line.
        max_length_change: the most that the mean number of words may differ from that data's, relative to it.
        max_pieces_change: the same of the vocabulary's pieces a word, which tell of a strange domain.
        max_coverage_drop: the most that the share of pieces that are not [UNK] may be below that data's.
    """

    max_bad_fraction: float = pydantic.Field(default=0.01, ge=0, le=1)
    min_split_examples: int = pydantic.Field(default=1, ge=1)
    max_label_skew: float = pydantic.Field(default=0.15, gt=0, le=1)
    max_drift: float = pydantic.Field(default=0.15, gt=0, le=1)
    baseline_statistics: str | None = None
    drift: Literal["warn", "stop"] = "warn"
    max_length_change: float = pydantic.Field(default=0.25, gt=0)
    max_pieces_change: float = pydantic.Field(default=0.1, gt=0)
    max_coverage_drop: float = pydantic.Field(default=0.005, ge=0, le=1)
