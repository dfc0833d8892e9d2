"""Which spans there are, and which are read together."""

import pydantic
import pytest

from components.example_gen.config import SplitConfig, WindowConfig
from components.example_gen.records import InputError
from components.example_gen.spans import Span, find_spans, window
from components.text_example_gen.config import TextConfig
from components.text_example_gen.executor import TextExecutor


def touch(folder, *names: str):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def numbers(spans: list[Span]) -> list[int]:
    return [span.number for span in spans]


def test_spans_are_sorted_by_number_and_come_in_their_newest_version(tmp_path):
    touch(tmp_path, "10-0/a.csv", "9-1/a.csv", "9-11/a.csv", "9-2/a.csv", "old/a.csv", "x-1/a.csv")
    assert find_spans(str(tmp_path), "{SPAN}-{VERSION}/*.csv") == [
        Span(9, 11, "9-11/*.csv"),
        Span(10, 0, "10-0/*.csv"),
    ]


def test_a_width_asks_for_so_many_digits(tmp_path):
    touch(tmp_path, "pubmed21n0014.xml", "pubmed21n0103.xml", "pubmed21n7.xml")
    found = find_spans(str(tmp_path), "pubmed??n{SPAN:4}.xml")
    assert found[0] == Span(14, None, "pubmed??n0014.xml")
    assert numbers(found) == [14, 103]


def test_dates_count_days_as_tfx_does(tmp_path):
    touch(tmp_path, "1970-01-02/a", "2026-02-30/a", "1970-03-01/a")
    found = find_spans(str(tmp_path), "{YYYY}-{MM}-{DD}/*")
    assert found == [Span(1, None, "1970-01-02/*"), Span(59, None, "1970-03-01/*")]


def test_two_names_of_one_span_are_refused(tmp_path):
    touch(tmp_path, "1/a", "01/a")
    with pytest.raises(InputError, match="both span 1"):
        find_spans(str(tmp_path), "{SPAN}/*")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [7]),
        ({"window": 2}, [5, 7]),
        ({"window": 9}, [1, 2, 5, 7]),
        ({"window": 2, "last": 5}, [2, 5]),
        ({"window": 2, "skip": (5,)}, [2, 7]),
    ],
)
def test_a_window_is_the_newest_spans_that_there_are(settings, expected):
    spans = [Span(number, None, "") for number in (1, 2, 5, 7)]
    assert numbers(window(spans, WindowConfig(**settings))) == expected


def test_what_is_not_there_is_no_window():
    with pytest.raises(InputError, match=r"spans.last is 3, but there is 1"):
        window([Span(1, None, "")], WindowConfig(last=3))
    with pytest.raises(InputError, match="none is left"):
        window([Span(1, None, "")], WindowConfig(skip=(1,)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pattern": "*.csv"}, "spans need a pattern with"),
        ({"key_column": None}, "spans need a key_column"),
        ({"splits": SplitConfig(test=0.2, group_near_duplicates=True)}, "does not go with spans"),
        ({"spans": {"last": 3, "skip": [3]}}, "which skip leaves out"),
        ({"columns": {"span": "int64"}}, "columns may not hold"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, reason):
    fitting = {"pattern": "{SPAN}/*.csv", "key_column": "id", "spans": {"window": 2}}
    TextConfig.model_validate(fitting)
    with pytest.raises(pydantic.ValidationError, match=reason):
        TextConfig.model_validate(fitting | changes)


@pytest.fixture
def three_spans(tmp_path):
    """Rows 0-29, 20-49 and 40-69, whose texts tell their span."""
    for span in range(3):
        rows = [f"{n},row {n} of span {span}" for n in range(20 * span, 20 * span + 30)]
        (tmp_path / f"{span}").mkdir()
        (tmp_path / f"{span}" / "a.csv").write_text("\n".join(["id,text", *rows]) + "\n")
    return tmp_path


def settings(**changes) -> TextConfig:
    values = {"pattern": "{SPAN}/*.csv", "key_column": "id", "splits": {"eval": 0.3, "test": 0.3}}
    return TextConfig.model_validate(values | changes)


def test_a_window_holds_the_newest_record_of_each_key(ingest, three_spans):
    """Without a driver: the executor resolves the spans, as on Kubeflow Pipelines."""
    found = ingest(TextExecutor, settings(spans={"window": 2}), three_spans)
    assert found.counts.read == 60
    assert found.counts.filtered_by_reason == {"superseded": 10}
    spans = dict(zip(found.column("key"), found.column("span"), strict=True))
    assert spans == {str(n): "2" if n >= 40 else "1" for n in range(20, 70)}
    assert set(found.column("text")) == {f"row {key} of span {span}" for key, span in spans.items()}


def test_a_record_is_in_the_same_split_in_every_window(ingest, three_spans):
    splits: dict[str, set[str]] = {}
    for last in range(3):
        found = ingest(TextExecutor, settings(spans={"window": 3, "last": last}), three_spans)
        for split, examples in found.examples.items():
            for example in examples:
                splits.setdefault(example["key"][0].decode(), set()).add(split)
    assert len(splits) == 70
    assert {len(of_key) for of_key in splits.values()} == {1}
    assert {split for of_key in splits.values() for split in of_key} == {"train", "eval", "test"}


def test_without_spans_there_is_no_such_feature(ingest, three_spans):
    found = ingest(TextExecutor, settings(), three_spans)
    assert found.counts.read == 30  # of the newest span
    assert all("span" not in example for example in found.all)
