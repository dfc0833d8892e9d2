"""What a pushed model keeps of the data it has learned from: what drift is measured by, and no texts."""

import os
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx import types
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.io import fileio

from components.artifact_file import write_artifact_file
from components.data_validator.drift import DISTRIBUTIONS, Drift
from components.manifest import EXTRA_FOLDER

STATISTICS_FILE = "training_statistics.pbtxt"


def train_distributions(statistics: types.Artifact) -> statistics_pb2.DatasetFeatureStatisticsList:
    """The train split's size and the distributions that are compared, of a StatisticsGen's artifact."""
    found = stats_artifact_utils.load_statistics(statistics, "train").proto()
    kept = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = kept.datasets.add(num_examples=found.datasets[0].num_examples)
    for feature in found.datasets[0].features:
        if list(feature.path.step) in [[name] for name in DISTRIBUTIONS]:
            one = dataset.features.add(type=feature.type)
            one.path.CopyFrom(feature.path)
            one.string_stats.rank_histogram.CopyFrom(feature.string_stats.rank_histogram)
    return kept


def write_training_data(statistics: types.Artifact, anomalies: types.Artifact, folder: str) -> None:
    """Writes `training_statistics.pbtxt` and `drift.json` into a folder.

    Args:
        statistics: of StatisticsGen.
        anomalies: of DataValidator.
        folder: exists.
    """
    text = text_format.MessageToString(train_distributions(statistics))
    write_artifact_file(os.path.join(folder, STATISTICS_FILE), text)
    if drift := Drift.read(anomalies.uri):
        drift.write(folder)


def read_distributions(version: Path) -> statistics_pb2.DatasetFeatureStatisticsList | None:
    """What `write_training_data` has left in a pushed version, None if it was pushed without."""
    path = str(version / EXTRA_FOLDER / STATISTICS_FILE)
    if not fileio.exists(path):
        return None
    with fileio.open(path) as file:
        return text_format.Parse(file.read(), statistics_pb2.DatasetFeatureStatisticsList())
