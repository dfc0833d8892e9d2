"""Numbers, any number of classes, and second texts, through the real reader and executor."""

import json
import math

import hypothesis
import pyarrow as pa
import pyarrow.parquet as pq
import pydantic
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from components.example_files import label_text, read_labelled
from components.text_example_gen import labels
from components.text_example_gen.config import TextConfig
from components.text_example_gen.executor import TextExecutor

CLASSES = TextConfig(label_column="label", label_type="classes")
NUMBER = TextConfig(label_column="label", label_type="number")
_NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"])).map(str.strip).filter(bool)


@hypothesis.given(st.lists(_NAME, unique=True), st.sampled_from([";", "|", " / "]))
def test_classes_come_back_from_a_cell_and_from_a_list(names, separator):
    names = [name for name in names if separator.strip() not in name]
    padded = separator.join(f" {name}\t" for name in names)
    assert labels.classes("label", padded, separator) == names
    assert labels.classes("label", padded.encode(), separator) == names
    assert labels.classes("label", names, separator) == names


@hypothesis.given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_numbers_come_back_from_text_and_as_they_are(value):
    for cell in (value, str(value), f" {value} ", str(value).encode()):
        assert labels.number("label", cell) == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("high", "not_a_number"),
        (True, "not_a_number"),
        ([1.0], "not_a_number"),
        ("", "empty_label"),
        (" ", "empty_label"),
        (None, "empty_label"),
        ("nan", "not_finite"),
        (math.inf, "not_finite"),
        ("1e39", "not_finite"),  # of 64 bits it is
        (b"\xff", "invalid_utf8"),
    ],
)
def test_what_is_no_number_has_a_reason(value, reason):
    with pytest.raises(labels.BadLabel) as error:
        labels.number("score", value)
    assert error.value.reason == reason
    assert "'score'" in str(error.value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a;;b", "empty_class"),
        (";", "empty_class"),
        (["a", " "], "empty_class"),
        ("a; b;a", "duplicate_class"),
        (["a", "a "], "duplicate_class"),
        (1.5, "wrong_type"),
        ([["a"]], "wrong_type"),
        ([True], "wrong_type"),
        (b"\xff", "invalid_utf8"),
    ],
)
def test_what_are_no_classes_has_a_reason(value, reason):
    with pytest.raises(labels.BadLabel) as error:
        labels.classes("topics", value, ";")
    assert error.value.reason == reason


def test_lists_numbers_and_nothing_are_classes_too():
    assert labels.classes("label", ["a;b", 3], ";") == ["a;b", "3"]
    assert labels.classes("label", 3, ";") == ["3"]
    for nothing in (None, "", " ", []):
        assert labels.classes("label", nothing, ";") == []


def test_every_format_gives_the_same_classes(ingest, tmp_path):
    rows = [("one", ["b", "a"]), ("two", []), ("three", ["c;d"])]
    with (tmp_path / "a.jsonl").open("w") as file:
        file.writelines(json.dumps({"text": t, "label": names}) + "\n" for t, names in rows)
    table = pa.table({"text": [t for t, _ in rows], "label": [names for _, names in rows]})
    pq.write_table(table, tmp_path / "b.parquet")
    with tf.io.TFRecordWriter(str(tmp_path / "c.tfrecord")) as writer:
        for text, names in rows:
            example = tf.train.Example()
            example.features.feature["text"].bytes_list.value.append(text.encode())
            example.features.feature["label"].bytes_list.value.extend(n.encode() for n in names)
            writer.write(example.SerializeToString())
    result = ingest(TextExecutor, CLASSES, tmp_path)
    assert result.rejected == []
    found = {}
    for raw in (raw for split in result.serialized.values() for raw in split):
        features = tf.train.Example.FromString(raw).features.feature
        names = [name.decode() for name in features["label"].bytes_list.value]
        found.setdefault(features["text"].bytes_list.value[0].decode(), []).append(names)
    assert found == {text: [names] * 3 for text, names in rows}


def test_bad_labels_and_pairs_go_to_quarantine_with_row_and_reason(ingest, tmp_path):
    (tmp_path / "a.csv").write_text(
        "text,second,label\n"
        "one,b,heart; lung\n"
        "two,b,\n"
        "three,,heart\n"
        "four,b,heart;heart\n"
        "five,b,hart\n"
        "six,b,heart;\n"
    )
    config = TextConfig(
        second_text_column="second",
        label_column="label",
        label_type="classes",
        classes=("heart", "lung"),
    )
    result = ingest(TextExecutor, config, tmp_path)
    assert [(row["position"], row["reason"]) for row in result.rejected] == [
        ("row 3, line 4", "empty_text"),
        ("row 4, line 5", "duplicate_class"),
        ("row 5, line 6", "unknown_label"),
        ("row 6, line 7", "empty_class"),
    ]
    assert "there is no second text" in result.rejected[0]["detail"]
    assert "nearest: heart" in result.rejected[2]["detail"]
    assert result.column("text_pair") == ["b", "b"]


def test_labelled_rows_are_read_back_whatever_the_label(ingest, tmp_path):
    path = str(tmp_path / "rows.gz")
    for config, cells, expected in (
        (NUMBER, ("1.5", "-2e3"), ["-2000", "1.5"]),
        (CLASSES, ("b;a", ""), ["", "a; b"]),
    ):
        first, second = cells
        (tmp_path / "a.csv").write_text(f"text,second,label\none,uno,{first}\ntwo,due,{second}\n")
        pairs = config.model_copy(update={"pattern": "*.csv", "second_text_column": "second"})
        result = ingest(TextExecutor, pairs, tmp_path)
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            for raw in (raw for split in result.serialized.values() for raw in split):
                writer.write(raw)
        [batch] = read_labelled(path, config.task)
        assert sorted(batch["text"]) == ["one\nuno", "two\ndue"]
        assert sorted(map(label_text, batch["label"])) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_type": "number"}, "label_type number needs a label_column"),
        ({"label_type": "number", "label_column": "x", "classes": ("a",)}, "label_type is number"),
        ({"label_column": "x", "label_separator": ","}, "for label_type: classes"),
        ({"columns": {"text_pair": "bytes"}}, "text_pair"),
    ],
)
def test_settings_that_do_not_fit_together(settings, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        TextConfig(**settings)


def test_settings_survive_json():
    config = TextConfig(label_column="x", label_type="classes", label_separator="|")
    assert TextConfig.model_validate_json(config.model_dump_json()) == config
    assert (config.task, config.has_pairs) == ("multi_label", False)
