"""Counts that add up, and a quarantine that can always be written."""

import json

import pydantic
import pytest

import components
from components.example_gen.quarantine import Counts, Quarantine, read_counts, write_counts
from components.example_gen.records import Rejected

_TOTALS = {
    ("read", ""): 10,
    ("kept_by_split", "train"): 5,
    ("kept_by_split", "eval"): 1,
    ("quarantined_by_reason", "empty_text"): 3,
    ("filtered_by_reason", "no_label"): 1,
}


def test_counts_survive_writing(tmp_path):
    counts = Counts.of(_TOTALS, ["train", "eval", "test"])
    write_counts(counts, str(tmp_path))
    assert read_counts(str(tmp_path)) == counts
    assert counts.kept_by_split == {"train": 5, "eval": 1, "test": 0}
    assert (counts.read, counts.kept, counts.quarantined, counts.filtered) == (10, 6, 3, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["counts.json"]


def test_a_lost_record_is_noticed():
    with pytest.raises(pydantic.ValidationError, match="read is 11, but its parts give 10"):
        Counts.of({**_TOTALS, ("read", ""): 11}, ["train", "eval"])


def test_kubeflow_finds_the_artifact_type_by_its_name():
    package, name = Quarantine.TYPE_NAME.split(".")
    assert package == components.__name__
    assert getattr(components, name) is Quarantine
    with pytest.raises(AttributeError):
        _ = components.NoSuchArtifact


def test_any_excerpt_can_be_written_and_is_short():
    row = Rejected("row 1", "bad", "d\udc00", "x\udcff\ud800\x00" + "y" * 500)
    fields = json.loads(row.to_json("f\udce9.csv").encode())
    assert fields["source"] == "f\\udce9.csv"
    assert fields["excerpt"].startswith("x\\udcff\\ud800\x00y")
    assert len(fields["excerpt"]) < 250
