"""Distributions of a string feature, and how much of a difference is chance."""

import math

from tensorflow_metadata.proto.v0 import statistics_pb2


def shares(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, feature: str
) -> dict[str, float]:
    """Share of each value of a string feature, empty if there is no such feature."""
    for found in statistics.datasets[0].features:
        if list(found.path.step) == [feature]:
            buckets = found.string_stats.rank_histogram.buckets
            total = sum(bucket.sample_count for bucket in buckets)
            return {bucket.label: bucket.sample_count / total for bucket in buckets}
    return {}


def chance(
    one: statistics_pb2.DatasetFeatureStatisticsList,
    other: statistics_pb2.DatasetFeatureStatisticsList,
) -> float:
    """Two standard errors of the difference between two samples' shares, at the worst share of 1/2."""
    sizes = (one.datasets[0].num_examples, other.datasets[0].num_examples)
    return 2 * math.sqrt(sum(0.25 / size for size in sizes))
