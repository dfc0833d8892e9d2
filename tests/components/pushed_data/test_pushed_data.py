"""What drift is measured by goes into a pushed version, and comes out of it again."""

from pathlib import Path

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.types import standard_artifacts

from components.data_validator.drift import Drift, TextProfile, distribution_changes
from components.pushed_data.executor import VERSION_PROPERTY, Executor
from components.pushed_data.training_data import STATISTICS_FILE, write_training_data

PROFILE = TextProfile(texts=100, words_per_text=200, pieces_per_word=1.2, coverage=0.999)


def data(folder: Path, **labels: int):
    """Artifacts of StatisticsGen and DataValidator of texts with so many of each label."""
    content = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = content.datasets.add(num_examples=sum(labels.values()))
    for name, values in {"label": labels, "text": {"a private text": 1}}.items():
        feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
        feature.path.step.append(name)
        for value, count in values.items():
            feature.string_stats.rank_histogram.buckets.add(label=value, sample_count=count)
    statistics, anomalies = (
        standard_artifacts.ExampleStatistics(),
        standard_artifacts.ExampleAnomalies(),
    )
    statistics.uri, anomalies.uri = str(folder / "statistics"), str(folder / "anomalies")
    statistics.split_names = '["train", "test"]'
    (folder / "statistics" / "Split-train").mkdir(parents=True)
    path = folder / "statistics" / "Split-train" / "FeatureStats.pb"
    path.write_bytes(content.SerializeToString())
    Drift(compared_with=None, profile=PROFILE, changes=(), warnings=()).write(anomalies.uri)
    return statistics, anomalies


@pytest.fixture
def push(tmp_path):
    """A function of a version and its labels: what the Pusher makes of a model card."""

    def run(version: str, **labels: int) -> Path:
        folder = tmp_path / "serving" / version / "assets.extra"
        folder.mkdir(parents=True)
        write_training_data(*data(tmp_path / "made" / version, **labels), str(folder))
        return folder

    return run


@pytest.fixture
def find(tmp_path):
    """A function of this run's labels: the artifacts that are found for it."""

    def run(**labels: int):
        now, _ = data(tmp_path / "now", **labels)
        statistics, anomalies = (
            standard_artifacts.ExampleStatistics(),
            standard_artifacts.ExampleAnomalies(),
        )
        statistics.uri, anomalies.uri = str(tmp_path / "found"), str(tmp_path / "found_too")
        Executor().Do(
            {"statistics": [now]},
            {"earlier_statistics": [statistics], "earlier_anomalies": [anomalies]},
            {"base_directory": str(tmp_path / "serving")},
        )
        return statistics, anomalies

    return run


def test_the_newest_data_is_found(push, find):
    push("9", a=50, b=50)
    push("10", a=90, b=10)
    statistics, anomalies = find(a=50, b=50)
    assert statistics.get_string_custom_property(VERSION_PROPERTY) == "10"
    assert statistics.split_names == '["train"]'
    content = Path(statistics.uri, "Split-train", "FeatureStats.pb").read_bytes()
    earlier = statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
    [change] = distribution_changes(earlier, earlier, max_drift=0.1)
    assert "label 'a' has a share of 90.0%" in change.sentence
    assert Drift.read(anomalies.uri).profile == PROFILE


def test_the_same_data_are_passed_over(push, find):
    push("1", a=90, b=10)
    push("2", a=50, b=50)
    statistics, _ = find(a=50, b=50)
    assert statistics.get_string_custom_property(VERSION_PROPERTY) == "1"


def test_where_there_is_nothing_both_are_empty(find, tmp_path):
    (tmp_path / "serving" / "1").mkdir(parents=True)  # pushed without
    statistics, anomalies = find(a=1)
    assert not statistics.split_names
    assert Drift.read(anomalies.uri) is None
    assert not Path(statistics.uri).exists()


def test_no_text_is_pushed(push):
    text = (push("1", a=1) / STATISTICS_FILE).read_text()
    assert '"a"' in text
    assert "private" not in text
