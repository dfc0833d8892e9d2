import json

import pytest

from components.example_gen.config import ModuloRule, SplitConfig
from components.example_gen.splits import assign_split
from pipeline.datasets.topic_texts import TopicTextSettings, write_topic_texts

HEADER = "Category\tText\nd\tstring\nclass\t\n"
FILES = {
    "20newsgroups-train": 'sci.space\tthe moon landing\nsci.med\ta "quoted heart \n',
    "20newsgroups-test": "sci.space\torbit\n\t\n\n",
    "reuters-r52-train": "earn\tprofit \n\t\nacq\tmerger \nearn\tloss \n",
    "reuters-r52-test": "acq\ttakeover\n",
}


@pytest.fixture
def write(tmp_path):
    for name, lines in FILES.items():
        (tmp_path / f"{name}.tab").write_text(HEADER + lines)

    def write(*collections):
        write_topic_texts(tmp_path, tmp_path, TopicTextSettings(collections=collections))
        return [json.loads(line) for line in (tmp_path / "texts.jsonl").open()]

    return write


def test_all_records_are_there_once(write):
    records = write("20newsgroups", "reuters-r52")
    assert [(r["collection"], r["split"], r["label"], r["text"]) for r in records] == [
        ("20newsgroups", "test", "sci.space", "orbit"),
        ("20newsgroups", "train", "sci.space", "the moon landing"),
        ("20newsgroups", "train", "sci.med", 'a "quoted heart'),
        ("reuters-r52", "test", "acq", "takeover"),
        ("reuters-r52", "train", "earn", "profit"),
        ("reuters-r52", "train", "acq", "merger"),
        ("reuters-r52", "train", "earn", "loss"),
    ]


def test_the_number_tells_the_official_split_to_an_example_gen(write):
    records = write("20newsgroups", "reuters-r52")
    assert len({record["number"] for record in records}) == len(records)
    rule = SplitConfig(test_rule=ModuloRule(modulus=2, remainder=0))
    for record in records:
        is_test = assign_split(str(record["number"]), rule) == "test"
        assert is_test == (record["split"] == "test")


def test_a_collection_alone(write):
    assert {record["collection"] for record in write("reuters-r52")} == {"reuters-r52"}


@pytest.mark.parametrize("line", ["no tab here\n", "label\ttext\tmore\n", "label\t \n"])
def test_a_broken_line_is_named(write, tmp_path, line):
    path = tmp_path / "reuters-r52-test.tab"
    path.write_text(HEADER + "acq\tfine\n" + line)
    with pytest.raises(ValueError, match=r"reuters-r52-test\.tab, line 5: expected a label"):
        write("reuters-r52")
