"""Text files of every format, sound and hostile, through the real executor."""

import csv
import gzip
import json

import hypothesis
import pyarrow as pa
import pyarrow.parquet as pq
import pydantic
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from components.example_gen.config import ModuloRule, SplitConfig
from components.example_gen.records import InputError, Rejected
from components.text_example_gen.config import TextConfig
from components.text_example_gen.executor import TextExecutor, TextReader

LABELLED = TextConfig(label_column="label")


def outcomes(result):
    """(source, position, reason) of each quarantined row."""
    return [(row["source"], row["position"], row["reason"]) for row in result.rejected]


def read(path, config):
    return list(TextReader(config).read(str(path)))


def test_csv_with_quoted_commas_quotes_and_newlines(ingest, tmp_path):
    (tmp_path / "a.csv").write_bytes(
        b"\xef\xbb\xbfid,text,label,year,score\r\n"
        b'7,"a, ""b""\r\nc",yes,1999,0.5\r\n'
        b"\r\n"
        b"8,caf\xc3\xa9,no,,\r\n"
    )
    config = TextConfig(
        label_column="label",
        key_column="id",
        columns={"year": "int64", "score": "float", "id": "bytes"},
    )
    examples = {e["key"][0]: e for e in ingest(TextExecutor, config, tmp_path).all}
    assert examples == {
        b"7": {
            "key": [b"7"],
            "id": [b"7"],
            "text": [b'a, "b"\r\nc'],
            "label": [b"yes"],
            "length_band": [b"0-49"],
            "year": [1999],
            "score": [0.5],
        },
        b"8": {
            "key": [b"8"],
            "id": [b"8"],
            "text": ["café".encode()],
            "label": [b"no"],
            "length_band": [b"0-49"],
        },
    }


def test_bad_csv_rows_are_quarantined_and_the_rest_kept(ingest, tmp_path):
    (tmp_path / "a.csv").write_bytes(
        b"text,label\n"
        b"one,a\n"
        b"two,a,extra\n"
        b"three\n"
        b"fo\xffur,a\n"
        b"fi\0ve,a\n"
        b"  ,a\n"
        b"six,\n"
        b"seven,A\n"
        b'"eight" or so,a\n'
        b'a stray,"quote\n'
        b"nine,a\n"
        b'"ten\nlines",b\n'
        b'eleven,"b\n'
        b"twelve,b\n"
    )
    config = TextConfig(label_column="label", classes=("a", "b"))
    result = ingest(TextExecutor, config, tmp_path)
    assert sorted(result.column("text")) == ["nine", "one", "ten\nlines", "twelve"]
    assert outcomes(result) == [
        ("a.csv", "row 2, line 3", "column_count"),
        ("a.csv", "row 3, line 4", "column_count"),
        ("a.csv", "row 4, line 5", "invalid_utf8"),
        ("a.csv", "row 5, line 6", "nul_byte"),
        ("a.csv", "row 6, line 7", "empty_text"),
        ("a.csv", "row 7, line 8", "empty_label"),
        ("a.csv", "row 8, line 9", "unknown_label"),
        ("a.csv", "row 9, line 10", "bad_quoting"),
        ("a.csv", "row 10, line 11", "bad_quoting"),
        ("a.csv", "row 13, line 15", "unclosed_quote"),
    ]
    details = [row["detail"] for row in result.rejected]
    assert details[0] == "expected 2 columns, found 3"
    assert "0xff" in details[2]
    assert "nearest: a" in details[6]
    assert result.rejected[2]["excerpt"] == "fo\\udcffur,a"
    assert result.counts.read == 14


def test_fields_over_the_limit_do_not_take_their_neighbours_along(ingest, tmp_path):
    config = TextConfig(max_text_bytes=100)
    row_limit = config.max_row_bytes
    (tmp_path / "a.csv").write_text(
        "text\none\n" + "x" * 101 + "\n" + "y" * (2 * row_limit) + "\ntwo\n"
        '"' + "z\n" * row_limit + "three\n"
    )
    rows = read(tmp_path / "a.csv", config)
    rejected = [row for row in rows if isinstance(row, Rejected)]
    found = [(row.position, row.reason) for row in rejected]
    assert found == [("row 3, line 4", "too_large"), ("row 5, line 6", "too_large")]
    kept = [row.text for row in rows if not isinstance(row, Rejected)]
    assert kept[:3] == ["one", "x" * 101, "two"]
    assert kept[-1] == "three"
    (tmp_path / "a.csv").write_text("text\none\n" + "x" * 101 + "\n")
    assert outcomes(ingest(TextExecutor, config, tmp_path)) == [
        ("a.csv", "row 2, line 3", "too_large")
    ]


_CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(
    st.lists(st.tuples(_CELL, _CELL)),
    st.sampled_from(",;\t|"),
    # csv.writer leaves a newline that is not its own unquoted before Python 3.13.
    st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL)]),
)
def test_whatever_csv_writes_is_read_back(tmp_path_factory, table, delimiter, style):
    path = tmp_path_factory.mktemp("table") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=style[0], quoting=style[1])
        writer.writerows([("text", "other"), *table])
    config = TextConfig(delimiter=delimiter, columns={"other": "bytes"})
    rows = read(path, config)
    assert [(row.text, row.features["other"][0]) for row in rows] == table
    assert [row.key for row in rows] == [f"a.csv:{n}" for n in range(1, len(table) + 1)]


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(st.binary(), st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.txt"]))
def test_no_bytes_break_a_reader(tmp_path_factory, rubbish, name):
    path = tmp_path_factory.mktemp("rubbish") / name
    start = b"text\tlabel\n" if name == "a.tsv" else b"text,label\n"
    path.write_bytes((start if name in ("a.csv", "a.tsv") else b"") + rubbish)
    read(path, TextConfig())


def test_json_lines(ingest, tmp_path):
    rows = [
        b'\xef\xbb\xbf{"text": "one, \\"quoted\\"\\nand more", "label": "a"}',
        b"",
        b'{"text": "two", "label": 3}',
        b'{"text": "three", "label": "a"',
        b'["text"]',
        b'{"text": 4, "label": "a"}',
        b'{"text": null, "label": "a"}',
        b'{"test": "five", "label": "a"}',
        b'{"text": "caf\xe9", "label": "a"}',
        b'{"text": "half \\ud800 pair", "label": "a"}',
        b'{"text": "nul \\u0000", "label": "a"}',
        b'{"text": "six", "label": ["a"]}',
        b"[" * 100_000,
        b'{"text": "seven", "label": "b"}',
    ]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(rows))
    result = ingest(TextExecutor, LABELLED, tmp_path)
    kept = dict(zip(result.column("text"), result.column("label"), strict=True))
    assert kept == {'one, "quoted"\nand more': "a", "two": "3", "seven": "b"}
    assert [(position, reason) for _, position, reason in outcomes(result)] == [
        ("row 3, line 4", "bad_json"),
        ("row 4, line 5", "not_an_object"),
        ("row 5, line 6", "wrong_type"),
        ("row 6, line 7", "empty_text"),
        ("row 7, line 8", "missing_field"),
        ("row 8, line 9", "invalid_utf8"),
        ("row 9, line 10", "invalid_utf8"),
        ("row 10, line 11", "nul_byte"),
        ("row 11, line 12", "wrong_type"),
        ("row 12, line 13", "bad_json"),
    ]
    assert "there is test" in result.rejected[4]["detail"]


def test_lines_over_the_limit_are_skipped_unread(ingest, tmp_path):
    config = TextConfig(max_text_bytes=10)
    long = "x" * (3 * config.max_row_bytes)
    (tmp_path / "a.txt").write_text(f"one\n{long}\n\ntwo\nelevenbytes")
    (tmp_path / "b.jsonl").write_text(f'{{"text": "three"}}\n{long}\n{{"text": "four"}}\n')
    result = ingest(TextExecutor, config, tmp_path)
    assert sorted(result.column("text")) == ["four", "one", "three", "two"]
    assert outcomes(result) == [
        ("a.txt", "line 2", "too_large"),
        ("a.txt", "line 3", "empty_text"),
        ("a.txt", "line 5", "too_large"),
        ("b.jsonl", "row 2, line 2", "too_large"),
    ]


def test_parquet(ingest, tmp_path):
    texts = pa.array([b"one", b"caf\xe9", b"", None, b"two"], pa.binary())
    strings = pa.Array.from_buffers(pa.string(), 5, texts.buffers())
    table = {
        "text": strings,
        "label": pa.array(["a", "a", "a", "a", "b"]).dictionary_encode(),
        "number": pa.array([1, 2, 3, 4, None]),
        "unused": pa.array([[1]] * 5),
    }
    pq.write_table(pa.table(table), tmp_path / "a.parquet", row_group_size=2)
    sound = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(sound[: len(sound) // 2])
    (tmp_path / "c.parquet").write_bytes(sound[:4] + b"\xff" * 60 + sound[64:])
    config = TextConfig(label_column="label", columns={"number": "int64"})
    result = ingest(TextExecutor, config, tmp_path)
    found = outcomes(result)
    assert [row for row in found if row[0] == "a.parquet"] == [
        ("a.parquet", "row 2", "invalid_utf8"),
        ("a.parquet", "row 3", "empty_text"),
        ("a.parquet", "row 4", "empty_text"),
    ]
    assert ("b.parquet", "start of file", "unreadable_parquet") in found
    assert ("c.parquet", "row 1", "unreadable_parquet") in found
    by_text = {e["key"][0]: (e["text"], e["label"], e.get("number")) for e in result.all}
    assert by_text[b"a.parquet:1"] == ([b"one"], [b"a"], [1])
    assert by_text[b"a.parquet:5"] == ([b"two"], [b"b"], None)
    assert by_text[b"c.parquet:5"] == ([b"two"], [b"b"], None)


def test_tfrecord(ingest, tmp_path):
    def example(**features):
        found = {
            name: tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
            for name, values in features.items()
        }
        return tf.train.Example(features=tf.train.Features(feature=found)).SerializeToString()

    records = [
        example(text=[b"one"], label=[b"a"]),
        b"no example",
        example(text=[b"two", b"texts"], label=[b"a"]),
        example(text=[], label=[b"a"]),
        example(text=[b"three"], label=[b"b"]),
    ]
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for record in records:
            writer.write(record)
    whole = (tmp_path / "a.tfrecord").read_bytes()
    (tmp_path / "b.tfrecord").write_bytes(whole[:-3])
    (tmp_path / "c.tfrecord.gz").write_bytes(gzip.compress(whole)[:-20])
    result = ingest(TextExecutor, LABELLED, tmp_path)
    assert sorted(result.column("text"))[-3:] == ["one", "one", "three"]
    by_source = {
        source: [
            (position, reason) for name, position, reason in outcomes(result) if name == source
        ]
        for source in ("a.tfrecord", "b.tfrecord", "c.tfrecord.gz")
    }
    bad_rows = [
        ("record 2", "not_an_example"),
        ("record 3", "wrong_type"),
        ("record 4", "empty_text"),
    ]
    assert by_source["a.tfrecord"] == bad_rows
    assert by_source["b.tfrecord"] == [*bad_rows, ("after record 4", "corrupt_tfrecord")]
    assert by_source["c.tfrecord.gz"][-1][1] == "corrupt_tfrecord"


def test_gzip_sound_and_truncated(ingest, tmp_path):
    rows = "".join(f"document {n * 7919 % 10007},a\n" for n in range(4000))
    whole = gzip.compress(("text,label\n" + rows).encode())
    (tmp_path / "a.csv.gz").write_bytes(whole)
    (tmp_path / "b.csv.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "c.csv.gz").write_bytes(whole[:5])
    result = ingest(TextExecutor, LABELLED, tmp_path)
    keys = result.column("key")
    assert sum(key.startswith("a.csv.gz:") for key in keys) == 4000
    kept = sum(key.startswith("b.csv.gz:") for key in keys)
    assert kept > 1000
    assert outcomes(result) == [
        ("b.csv.gz", f"after record {kept}", "truncated_gzip"),
        ("c.csv.gz", "start of file", "truncated_gzip"),
    ]


def test_an_empty_file_is_quarantined(ingest, tmp_path):
    (tmp_path / "a.csv").write_text("text\none\n")
    (tmp_path / "b.csv").write_text("")
    result = ingest(TextExecutor, TextConfig(), tmp_path)
    assert outcomes(result) == [("b.csv", "start of file", "empty_file")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"id,txt,label\n1,a,b\n",
            r"a\.csv: no column 'text'\. There is id, txt, label; did you m",
        ),
        (b"text,text\na,b\n", r"names \['text'\] more than once"),
        ("text\na\n".encode("utf-16"), "header can't be read"),
        (b'"text\na\n', "header can't be read"),
    ],
)
def test_a_header_that_does_not_fit_is_the_users_error(ingest, tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        ingest(TextExecutor, TextConfig(), tmp_path)


def test_a_file_of_unknown_kind_is_the_users_error(ingest, tmp_path):
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(InputError, match=r"a\.docx: can't tell the format .* set `format`"):
        ingest(TextExecutor, TextConfig(), tmp_path)


def test_several_columns_make_one_text(tmp_path):
    (tmp_path / "a.tsv").write_text("title\tbody\nHead\tBody\n\tBody\n")
    rows = read(tmp_path / "a.tsv", TextConfig(text_column=("title", "body")))
    assert [row.text for row in rows] == ["Head Body", "Body"]


@pytest.mark.parametrize(
    ("kind", "value"), [("int64", "3.5"), ("int64", "x"), ("int64", str(2**63)), ("float", "x")]
)
def test_a_number_that_is_none_is_quarantined(tmp_path, kind, value):
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "t", "n": value}) + "\n")
    [row] = read(tmp_path / "a.jsonl", TextConfig(columns={"n": kind}))
    assert (row.reason, "'n'" in row.detail) == ("wrong_type", True)


def test_rows_with_one_key_share_a_split_wherever_they_are(ingest, tmp_path):
    config = TextConfig(key_column="patient", splits=SplitConfig(eval=0.3, test=0.3))
    rows = [{"patient": n % 20, "text": f"visit {n}"} for n in range(100)]

    def splits(*shards):
        folder = tmp_path / str(len(shards))
        folder.mkdir()
        for number, shard in enumerate(shards):
            text = "".join(json.dumps(row) + "\n" for row in shard)
            (folder / f"{number}.jsonl").write_text(text)
        result = ingest(TextExecutor, config, folder)
        return {
            (e["key"][0], e["text"][0]): name for name, got in result.examples.items() for e in got
        }

    whole = splits(rows)
    assert splits(rows[60:], rows[:10][::-1], rows[10:60]) == whole
    patients = {}
    for (patient, _), split in whole.items():
        patients.setdefault(patient, set()).add(split)
    assert len(patients) == 20
    assert all(len(found) == 1 for found in patients.values())
    assert set(whole.values()) == {"train", "eval", "test"}


@pytest.mark.parametrize(
    "settings",
    [
        {"classes": ["a"]},
        {"columns": {"text": "bytes"}},
        {"text_column": []},
        {"splits": SplitConfig(test_rule=ModuloRule(modulus=5))},
        {"format": "xlsx"},
        {"delimiter": ", "},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(pydantic.ValidationError):
        TextConfig(**settings)
