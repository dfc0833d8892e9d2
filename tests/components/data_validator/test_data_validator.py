"""Good data passes; bad data stops the line, and the message says what is wrong with it."""

import json

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.data_validator.config import ValidationConfig
from components.data_validator.drift import NOTHING_EARLIER, Drift
from components.data_validator.executor import DataValidationError, Executor
from components.data_validator.schema import build_schema
from components.example_gen.quarantine import Counts, Quarantine, write_counts

FEATURES = {
    "key": "bytes",
    "text": "bytes",
    "label": "bytes",
    "length_band": "bytes",
    "age": "int64",
}


def table(labels, band="0-49", **columns) -> pd.DataFrame:
    """One row a label; a column of None is left out of that row."""
    rows = {
        "key": [str(i) for i in range(len(labels))],
        "text": [f"text {i}" for i in range(len(labels))],
        "label": labels,
        "length_band": [band] * len(labels),
        "age": list(range(len(labels))),
    }
    return pd.DataFrame(rows | columns)


GOOD = {
    "train": table(["a", "b"] * 20),
    "eval": table(["a", "b"] * 5),
    "test": table(["a", "b"] * 10),
}


class Line:
    """The artifacts around one execution of the executor."""

    def __init__(self, folder):
        self._folder = folder
        self.statistics = standard_artifacts.ExampleStatistics()
        self.schema = standard_artifacts.Schema()
        self.quarantine = Quarantine()
        self.anomalies = standard_artifacts.ExampleAnomalies()
        for name in ("statistics", "schema", "quarantine", "anomalies"):
            getattr(self, name).uri = str(folder / name)
            (folder / name).mkdir(parents=True)

    def run(
        self, splits=GOOD, classes=None, quarantined=(), filtered=0, earlier=None, **validation
    ):
        """Runs on tables by split; `quarantined` are reasons, one a bad row; `earlier` is another Line."""
        self._write_statistics(splits)
        schema = build_schema(FEATURES, optional=["age"], classes=classes)
        (self._folder / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(schema))
        self._write_quarantine(
            {name: len(rows) for name, rows in splits.items()}, quarantined, filtered
        )
        Executor().Do(
            {
                "statistics": [self.statistics],
                "schema": [self.schema],
                "quarantine": [self.quarantine],
                "earlier_statistics": [earlier.statistics] if earlier else [],
                "earlier_anomalies": [earlier.anomalies] if earlier else [],
            },
            {"anomalies": [self.anomalies]},
            {"validation": ValidationConfig(**validation).model_dump_json()},
        )

    def problems(self, *args, **kwargs) -> list[str]:
        """What the executor complains about, one problem a line."""
        with pytest.raises(DataValidationError) as error:
            self.run(*args, **kwargs)
        head, *lines = str(error.value).split("\n  ")
        assert head == "the data cannot be used:"
        return lines

    def written(self) -> dict[str, list[str]]:
        """Features with an anomaly, by split, as the artifact holds them."""
        found = {}
        for split in artifact_utils.decode_split_names(self.anomalies.split_names):
            path = self._folder / "anomalies" / f"Split-{split}" / "SchemaDiff.pb"
            anomalies = anomalies_pb2.Anomalies.FromString(path.read_bytes())
            found[split] = sorted(anomalies.anomaly_info)
        return found

    def _write_statistics(self, splits):
        self.statistics.split_names = artifact_utils.encode_split_names(list(splits))
        for split, rows in splits.items():
            folder = self._folder / "statistics" / f"Split-{split}"
            folder.mkdir(exist_ok=True)
            statistics = tfdv.generate_statistics_from_dataframe(rows)
            (folder / "FeatureStats.pb").write_bytes(statistics.SerializeToString())

    def _write_quarantine(self, kept, reasons, filtered):
        totals = {("read", ""): sum(kept.values()) + len(reasons) + filtered}
        totals |= {("kept_by_split", split): n for split, n in kept.items()}
        totals |= {("quarantined_by_reason", reason): reasons.count(reason) for reason in reasons}
        totals |= {("filtered_by_reason", "no abstract"): filtered} if filtered else {}
        write_counts(Counts.of(totals, list(kept)), self.quarantine.uri)
        path = self._folder / "quarantine" / "rejected-00000-of-00001.jsonl"
        lines = [
            json.dumps({"source": "a.csv", "position": n, "reason": r})
            for n, r in enumerate(reasons)
        ]
        path.write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture
def line(tmp_path) -> Line:
    return Line(tmp_path)


def test_good_data_passes(line):
    line.run()
    assert line.written() == {
        "train": [],
        "eval": [],
        "test": [],
        "train_eval_skew": [],
        "train_test_skew": [],
    }


def test_good_data_with_listed_classes_passes(line):
    line.run(classes=["a", "b", "never seen"])
    assert set().union(*line.written().values()) == set()


def test_too_many_bad_rows_stop_the_line_with_the_reasons(line):
    reasons = ["empty text"] * 7 + ["bad UTF-8"] * 12 + ["no label"]
    share, first, where = line.problems(quarantined=reasons, max_bad_fraction=0.05)
    assert share == (
        "20 of 90 rows are bad (22.2%, validation.max_bad_fraction allows 5.0%): "
        "bad UTF-8 12, empty text 7, no label 1"
    )
    assert '"source": "a.csv", "position": 0, "reason": "empty text"' in first
    assert where == f"all bad rows: {line.quarantine.uri}"


def test_only_the_commonest_reasons_are_told(line):
    reasons = [f"reason {n}" for n in range(1, 8) for _ in range(n)]
    share, *_ = line.problems(quarantined=reasons, max_bad_fraction=0.05)
    assert share.endswith("reason 7 7, reason 6 6, reason 5 5, reason 4 4, reason 3 3")


def test_just_few_enough_bad_rows_pass(line):
    line.run(quarantined=["empty text"] * 10, max_bad_fraction=0.125)  # 10 of 80


def test_filtered_rows_are_not_bad(line):
    line.run(filtered=1000, max_bad_fraction=0.0)


@pytest.mark.parametrize("split", ["train", "eval", "test"])
def test_an_empty_split_stops_the_line(line, split):
    [problem] = line.problems(GOOD | {split: table([])})
    assert f"split {split} has 0 examples, validation.min_split_examples asks for 1" in problem


def test_a_small_split_stops_the_line_if_more_are_asked(line):
    [problem] = line.problems(min_split_examples=11)
    assert "split eval has 10 examples, validation.min_split_examples asks for 11" in problem


def test_no_rows_at_all(line):
    problems = line.problems({split: table([]) for split in GOOD}, quarantined=["empty text"])
    assert problems[0].startswith("1 of 1 rows are bad (100.0%")
    assert [p for p in problems if "has 0 examples" in p] == problems[3:]
    assert len(problems) == 6


@pytest.mark.parametrize("classes", [None, ["a", "b"]])
def test_a_label_not_seen_in_training_stops_the_line(line, classes):
    splits = GOOD | {"test": table(["a", "b"] * 10 + ["c"])}
    problems = line.problems(splits, classes=classes, max_label_skew=1.0)
    assert any("split test, feature label" in p and "c" in p for p in problems), problems
    assert not any("split train" in p for p in problems), problems
    assert line.written()["test"] == ["label"]
    assert line.written()["train"] == []


def test_a_label_not_listed_stops_the_line_in_training_too(line):
    splits = GOOD | {"train": table(["a", "b"] * 20 + ["c"])}
    [problem] = line.problems(splits, classes=["a", "b"], max_label_skew=1.0)
    assert problem.startswith("split train, feature label: Unexpected string values")


def test_a_single_label_stops_the_line(line):
    [problem] = line.problems({split: table(["a"] * 20) for split in GOOD})
    assert problem == "split train has the one label 'a': a classifier needs several"


@pytest.mark.parametrize("label", ["a\nb", "a\rb"])
def test_a_label_of_two_lines_stops_the_line(line, label):
    """Transform's vocabulary is a text file and would silently leave it out."""
    [problem] = line.problems({split: table([label, "b"] * 10) for split in GOOD})
    assert problem == f"split train has the label {label!r}: a label must not hold a line break"


def test_label_shares_beyond_the_limit_stop_the_line(line):
    splits = GOOD | {"test": table(["a"] * 400 + ["b"] * 10), "train": table(["a", "b"] * 200)}
    [problem] = line.problems(splits, max_label_skew=0.2)
    assert problem.startswith("splits train and test (validation.max_label_skew), feature label")
    assert line.written()["train_test_skew"] == ["label"]
    assert line.written()["train"] == line.written()["train_eval_skew"] == []


def test_what_chance_explains_is_no_skew(line):
    line.run(GOOD | {"eval": table(["a", "a", "b"])}, max_label_skew=0.01)


def test_more_than_chance_explains_is_skew(line):
    """Shares .5 and .75 of 400 rows each: two standard errors are .071."""
    splits = {"train": table(["a", "b"] * 200), "eval": table(["a", "b"] * 200)}
    splits["test"] = table(["a", "a", "a", "b"] * 100)
    line.run(splits, max_label_skew=0.18)
    [problem] = line.problems(splits, max_label_skew=0.17)
    assert problem.startswith("splits train and test (validation.max_label_skew), feature label")


@pytest.fixture
def blessed(tmp_path_factory) -> Line:
    """An earlier run: twice as many a's as b's, all texts short."""
    line = Line(tmp_path_factory.mktemp("earlier"))
    line.run({split: table(["a", "a", "b"] * 20) for split in GOOD})
    return line


@pytest.fixture
def earlier(blessed) -> str:
    """Its statistics."""
    return blessed.statistics.uri


def test_drift_against_the_baseline_stops_the_line(line, earlier):
    [problem] = line.problems(baseline_statistics=earlier, max_drift=0.1)  # .67 → .5
    assert problem.startswith("split train, feature label")
    assert line.written()["train"] == ["label"]


def test_drift_of_the_texts_length_stops_the_line(line, earlier):
    splits = GOOD | {"train": table(["a", "b"] * 20, band="400+")}
    problems = line.problems(splits, baseline_statistics=earlier, max_drift=0.2)
    assert [p.partition(": ")[0] for p in problems] == ["split train, feature length_band"]


def test_less_drift_than_the_limit_passes(line, earlier):
    line.run(baseline_statistics=earlier, max_drift=0.2)


def test_a_baseline_that_is_not_there(line, tmp_path):
    with pytest.raises(
        DataValidationError, match=r"baseline_statistics: .*nowhere.* does not exist"
    ):
        line.run(baseline_statistics=str(tmp_path / "nowhere"))


DRIFTED = {split: table(["a"] * 380 + ["b"] * 20) for split in GOOD}  # .67 → .95


def test_drift_from_the_last_blessed_models_data_is_told(line, blessed, caplog):
    with caplog.at_level("INFO", "sciformer"):
        line.run(DRIFTED, earlier=blessed, max_drift=0.1)
    drift = Drift.read(line.anomalies.uri)
    assert drift.compared_with == blessed.statistics.uri
    [sentence] = drift.warnings
    assert sentence.startswith(
        "drift: label 'a' has a share of 95.0% of the train split, 66.7% in the last blessed model's; "
        "the difference is 0.283, validation.max_drift (with what chance explains) allows 0.2"
    )
    assert sentence in caplog.messages


def test_drift_from_the_last_blessed_models_data_stops_the_line_if_asked(line, blessed):
    [problem] = line.problems(DRIFTED, earlier=blessed, max_drift=0.1, drift="stop")
    assert problem.startswith("drift: label 'a' has a share of 95.0%")
    line.run(DRIFTED, earlier=blessed, max_drift=0.2, drift="stop")


def test_without_an_earlier_blessed_model_nothing_is_compared(line, caplog):
    with caplog.at_level("INFO", "sciformer"):
        line.run(drift="stop")
    assert Drift.read(line.anomalies.uri).warnings == (NOTHING_EARLIER,)
    assert NOTHING_EARLIER in caplog.messages


def test_nor_with_empty_artifacts_in_place_of_one(line, tmp_path):
    """What PushedData gives where nothing was pushed."""
    nothing = Line(tmp_path / "nothing")
    line.run(drift="stop", earlier=nothing)
    assert Drift.read(line.anomalies.uri).warnings == (NOTHING_EARLIER,)


def test_a_missing_feature_stops_the_line(line):
    splits = GOOD | {"eval": GOOD["eval"].drop(columns="text")}
    [problem] = line.problems(splits)
    assert problem.startswith("split eval, feature text: Column dropped")


def test_a_feature_some_rows_lack_stops_the_line(line):
    texts = ["a text"] * 9 + [None]
    problems = line.problems(GOOD | {"eval": table(["a", "b"] * 5, text=texts)})
    assert all(p.startswith("split eval, feature text") for p in problems)
    assert any("expected: minimum fraction = 1.000000, actual = 0.900000" in p for p in problems)


def test_an_optional_feature_may_be_lacking(line):
    line.run(
        GOOD | {"eval": table(["a", "b"] * 5, age=pd.Series([None] * 9 + [3], dtype="object"))}
    )


def test_an_unexpected_feature_stops_the_line(line):
    [problem] = line.problems(GOOD | {"test": table(["a", "b"] * 10, smell=["bad"] * 20)})
    assert problem.startswith("split test, feature smell: New column")


def test_a_feature_of_another_type_stops_the_line(line):
    splits = GOOD | {"eval": table(["a", "b"] * 5, age=["old"] * 10)}
    problems = line.problems(splits)
    assert all(p.startswith("split eval, feature age") for p in problems)
