"""Distributions of a feature, and how much of a difference is chance."""

import math
from typing import NamedTuple

from tensorflow_metadata.proto.v0 import statistics_pb2


def shares(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, feature: str
) -> dict[str, float]:
    """Share of each value of a string feature, empty if there is no such feature."""
    found = _find(statistics, feature)
    if found is None:
        return {}
    buckets = found.string_stats.rank_histogram.buckets
    total = sum(bucket.sample_count for bucket in buckets)
    return {bucket.label: bucket.sample_count / total for bucket in buckets}


class Numbers(NamedTuple):
    """Mean and standard deviation of the values of a feature."""

    mean: float
    deviation: float


def numbers(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, feature: str
) -> Numbers | None:
    """Of a numeric feature, None if there is no such feature."""
    found = _find(statistics, feature)
    if found is None or not found.HasField("num_stats"):
        return None
    return Numbers(found.num_stats.mean, found.num_stats.std_dev)


def shift(one: Numbers, other: Numbers) -> float:
    """How far the other's mean is from the first's, in the first's standard deviations."""
    return abs(one.mean - other.mean) / (one.deviation or 1.0)


def mean_chance(
    one: statistics_pb2.DatasetFeatureStatisticsList,
    other: statistics_pb2.DatasetFeatureStatisticsList,
) -> float:
    """Two standard errors of the difference between two samples' means, in standard deviations."""
    sizes = (one.datasets[0].num_examples, other.datasets[0].num_examples)
    return 2 * math.sqrt(sum(1 / size for size in sizes))


def chance(
    one: statistics_pb2.DatasetFeatureStatisticsList,
    other: statistics_pb2.DatasetFeatureStatisticsList,
) -> float:
    """Two standard errors of the difference between two samples' shares, at the worst share of 1/2."""
    return 0.5 * mean_chance(one, other)  # 1/2 is the deviation of such a share


def _find(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, feature: str
) -> statistics_pb2.FeatureNameStatistics | None:
    features = statistics.datasets[0].features
    return next((one for one in features if list(one.path.step) == [feature]), None)
