"""Records of one group never straddle splits."""

import random

import pydantic
import pytest

from components.example_gen.config import SplitConfig
from components.example_gen.grouping import representatives, sketch_batch
from components.example_gen.splits import assign_split
from components.medline_example_gen.config import MedlineConfig
from components.near_duplicates.config import NearDuplicateConfig
from components.text_example_gen.config import TextConfig
from components.text_example_gen.executor import TextExecutor

CONFIG = NearDuplicateConfig()


def family(number: int, members: int) -> list[str]:
    """Texts of 24 words that differ in the last one."""
    head = " ".join(f"{chr(97 + number % 26)}{number}w{i}" for i in range(23))
    return [f"{head} end{member}" for member in range(members)]


@pytest.fixture
def families(tmp_path):
    """Forty families of five, their members spread over three files, and where each belongs by key."""
    rows = [(number, text) for number in range(40) for text in family(number, 5)]
    keys = {text: str(key) for key, (_, text) in enumerate(rows)}

    def write(seed: int, files: int = 3) -> dict[str, int]:
        random.Random(seed).shuffle(rows)
        for part in range(files):
            lines = [f"{keys[text]},{number % 7},{text}\n" for number, text in rows[part::files]]
            (tmp_path / f"{part}.csv").write_text("id,site,text\n" + "".join(lines))
        return {keys[text]: number for number, text in rows}

    return write


def splits_of(result, key="key") -> dict[str, str]:
    return {
        example[key][0].decode(): split
        for split, examples in result.examples.items()
        for example in examples
    }


def straddling(splits: dict[str, str], groups: dict[str, int]) -> int:
    """How many groups are in several splits."""
    return sum(
        len({splits[key] for key in splits if groups[key] == group}) > 1
        for group in set(groups.values())
    )


def config(**splits) -> TextConfig:
    splits = {"eval": 0.2, "test": 0.3} | splits
    return TextConfig(key_column="id", columns={"site": "bytes"}, splits=SplitConfig(**splits))


def test_near_duplicates_share_a_split_whatever_the_files(ingest, families, tmp_path):
    groups = families(seed=0)
    assert straddling(splits_of(ingest(TextExecutor, config(), tmp_path)), groups) > 20
    grouped = config(group_near_duplicates=True)
    first = ingest(TextExecutor, grouped, tmp_path)
    assert straddling(splits_of(first), groups) == 0
    assert set(splits_of(first).values()) == {"train", "eval", "test"}
    assert first.counts.kept == 200
    families(seed=1, files=5)
    assert splits_of(ingest(TextExecutor, grouped, tmp_path)) == splits_of(first)


def test_a_column_keeps_its_records_together(ingest, families, tmp_path):
    numbers = families(seed=0)
    result = ingest(TextExecutor, config(group_column="site", test=0.4), tmp_path)
    sites = {key: number % 7 for key, number in numbers.items()}
    assert straddling(splits_of(result), sites) == 0
    expected = {
        key: assign_split(str(site), SplitConfig(eval=0.2, test=0.4)) for key, site in sites.items()
    }
    assert splits_of(result) == expected


def test_column_and_near_duplicates_are_joined():
    """Site a shares a text with site b, b another with c: one group, named a."""
    one, other = family(1, 2), family(2, 2)
    records = [("c", other[0]), ("b", one[0]), ("a", one[1]), ("b", other[1]), ("d", "alone")]
    parts = [sketch_batch(records[:2], CONFIG), sketch_batch(records[2:], CONFIG)]
    assert representatives(parts, CONFIG) == {"a": "a", "b": "a", "c": "a"}


def test_who_has_no_duplicates_stays_where_it_was(ingest, tmp_path):
    texts = [text for number in range(60) for text in family(number, 1)]
    rows = "".join(f"{key},s,{text}\n" for key, text in enumerate(texts))
    (tmp_path / "a.csv").write_text("id,site,text\n" + rows)
    alone = ingest(TextExecutor, config(), tmp_path)
    grouped = ingest(TextExecutor, config(group_near_duplicates=True), tmp_path)
    assert grouped.serialized == alone.serialized


def test_the_test_rule_looks_at_the_groups_name(ingest, families, tmp_path):
    groups = families(seed=0)
    rule = {"test": None, "test_rule": {"modulus": 5}, "group_near_duplicates": True}
    splits = splits_of(ingest(TextExecutor, config(**rule), tmp_path))
    assert straddling(splits, groups) == 0
    names: dict[int, str] = {}
    for key, group in groups.items():
        names[group] = min(names.get(group, key), key)
    in_test = {key for key, split in splits.items() if split == "test"}
    assert in_test == {key for key, group in groups.items() if int(names[group]) % 5 == 0}


def test_a_record_without_a_group_is_quarantined(ingest, tmp_path):
    (tmp_path / "a.csv").write_text("id,site,text\n1,,one\n2,x,two\n")
    result = ingest(TextExecutor, config(group_column="site"), tmp_path)
    assert result.reasons == ["empty_group"]
    assert result.rejected[0]["detail"] == "key 1: group_column 'site' is empty"


def test_no_records_are_no_groups():
    assert representatives([], CONFIG) == {}


def test_a_group_column_must_be_a_feature():
    with pytest.raises(pydantic.ValidationError, match="group_column 'ward' is none of columns"):
        TextConfig(splits=SplitConfig(test=0.1, group_column="ward"))
    with pytest.raises(pydantic.ValidationError, match="must be one of journal, year"):
        MedlineConfig(splits=SplitConfig(test=0.1, group_column="mesh"))
