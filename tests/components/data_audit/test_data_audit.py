"""What the audit finds, when it stops, and that grouped splits cure it."""

import gzip
import itertools
import json
import random
import re

import hypothesis
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from components.data_audit.config import Pretraining
from components.data_audit.examples import AuditedExamples
from components.data_audit.findings import Findings
from components.data_audit.limits import DataAuditError
from components.data_audit.report import Audit, Overlap
from components.example_gen.config import SplitConfig
from components.near_duplicates.config import NearDuplicateConfig
from components.near_duplicates.search import find_duplicates
from components.near_duplicates.sketches import normalised_words
from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.text_example_gen.config import TextConfig
from components.text_example_gen.executor import TextExecutor

CONFIG = NearDuplicateConfig()
LONG = "the patient had a long history of severe chest pain and was treated with great care by all"

# By hand: c and a are equal, d is near both, b is equal to f and g, of which g has another label.
ROWS = {
    "train": [
        ("a", "x", LONG),
        ("b", "y", "a short note"),
        ("e", "x", "something quite different was written down here"),
    ],
    "eval": [("f", "y", "A short note.")],
    "test": [
        ("c", "x", LONG.upper()),
        ("d", "y", LONG + " nurses"),
        ("g", "x", "a  short note"),
    ],
}


def overlap(split, other, examples, exact, duplicated):
    share = duplicated / examples
    return Overlap(
        split=split,
        other=other,
        examples=examples,
        exact=exact,
        duplicated=duplicated,
        share=share,
    )


def test_a_set_small_enough_to_see(audit):
    found = audit(ROWS)
    assert found.examples == {"train": 3, "eval": 1, "test": 3}
    assert found.distinct_texts == 4
    assert found.near_duplicate_pairs == 1
    assert set(found.overlaps) == {
        overlap("train", "train", 3, 0, 0),
        overlap("train", "eval", 3, 1, 1),
        overlap("train", "test", 3, 2, 2),
        overlap("eval", "train", 1, 1, 1),
        overlap("eval", "eval", 1, 0, 0),
        overlap("eval", "test", 1, 1, 1),
        overlap("test", "train", 3, 2, 3),
        overlap("test", "eval", 3, 1, 1),
        overlap("test", "test", 3, 0, 2),
    }
    assert found.label_conflicts == 6  # all but e
    assert found.cluster_sizes == {3: 2}
    first, second, third = found.pairs[:3]
    assert first.keys == ("g", "b")  # test with train, labels differ, equal
    assert first.is_exact
    assert second.keys == ("d", "a")
    assert (second.labels, second.is_exact) == (("y", "x"), False)
    assert second.similarity == pytest.approx(17 / 18)
    assert third.keys == ("c", "a")
    assert [pair.keys for pair in found.conflicts] == [
        ("g", "b"),
        ("d", "a"),
        ("f", "g"),
        ("c", "d"),
    ]
    assert found.warnings == (
        "3 of 3 test examples (100.0%) have an equal or nearly equal text in train",
        "1 of 3 test examples (33.3%) have an equal or nearly equal text in eval",
        "1 of 1 eval examples (100.0%) have an equal or nearly equal text in train",
        "6 of 7 examples (85.7%) have an equal or nearly equal text with another label",
    )


def test_nothing_to_tell(audit):
    rows = {"train": [("1", "x", "one thing")], "test": [("2", "y", "quite another")]}
    found = audit(
        rows,
        max_cross_split_duplicates=0,
        max_label_conflicts=0,
        forbid_pretraining_overlap=True,
    )
    assert found.warnings == found.pairs == ()
    assert found.cluster_sizes == {}


def test_files_and_order_do_not_matter(audit, auditor):
    first = audit(ROWS)
    shuffled = {split: rows[::-1] for split, rows in reversed(ROWS.items())}
    again = auditor.run(shuffled, files=2)
    assert set(again.overlaps) == set(first.overlaps)
    assert again.model_copy(update={"overlaps": first.overlaps}) == first


_ROW = st.tuples(
    st.sampled_from(["train", "eval", "test"]),
    st.sampled_from("xyz"),
    st.sampled_from(
        [LONG, LONG + " nurses", LONG + " two nurses", "short", "Short!", "other", "!"]
    ),
)


@hypothesis.settings(max_examples=50)
@hypothesis.given(st.lists(_ROW, min_size=1, max_size=12))
def test_counts_are_those_of_a_comparison_of_all_with_all(rows):
    """Independent reference: loops over pairs, and sets of word pairs."""

    def similarity(one, other):
        words = [normalised_words(rows[i][2]) for i in (one, other)]
        sets = [set(itertools.pairwise(w)) or {tuple(w)} for w in words]
        return len(sets[0] & sets[1]) / len(sets[0] | sets[1])

    alike = {pair: similarity(*pair) for pair in itertools.permutations(range(len(rows)), 2)}
    examples = AuditedExamples.joined(
        [
            AuditedExamples.of(split, [str(key)], [label], [text], CONFIG)
            for key, (split, label, text) in enumerate(rows)
        ]
    )
    findings = Findings(examples, find_duplicates(examples.sketches, CONFIG))
    for found in findings.overlaps(["train", "eval", "test"]):
        members = [i for i, row in enumerate(rows) if row[0] == found.split]
        others = [i for i, row in enumerate(rows) if row[0] == found.other]
        near = [i for i in members if any(alike.get((i, j), 0) >= 0.5 for j in others)]
        equal = [i for i in members if any(alike.get((i, j), 0) == 1 for j in others)]
        assert (found.duplicated, found.exact) == (len(near), len(equal))
    assert findings.label_conflicts() == sum(
        any(alike[i, j] >= 0.5 and rows[i][1] != rows[j][1] for j in range(len(rows)) if j != i)
        for i in range(len(rows))
    )
    for pair in findings.worst_pairs():
        assert pair.similarity == alike[int(pair.keys[0]), int(pair.keys[1])] >= 0.5
    assert all(
        pair.labels[0] != pair.labels[1] for pair in findings.worst_pairs(conflicts_only=True)
    )


def test_a_limit_stops_the_line_with_figure_pair_and_cure(auditor):
    with pytest.raises(DataAuditError) as error:
        auditor.run(ROWS, max_cross_split_duplicates=0.1, max_label_conflicts=0.5)
    head, leak, conflict, where = str(error.value).split("\n  ")
    assert head == "the data cannot be trusted:"
    assert leak == (
        "3 of 3 test examples (100.0%) have an equal or nearly equal text in train, "
        "audit.max_cross_split_duplicates allows 10.0%; the worst pair: g in test (label 'x') and b in train "
        "(label 'y'), similarity 1.00. Cure: splits.group_near_duplicates: true (or a splits.group_column) "
        "in the data's settings lets such records share a split"
    )
    assert conflict.startswith(
        "6 of 7 examples (85.7%) have an equal or nearly equal text with another"
    )
    assert "audit.max_label_conflicts allows 50.0%; the worst pair: g in test" in conflict
    assert where == f"all that was found: {auditor.folder / 'audit'}"
    assert Audit.read(str(auditor.folder / "audit")).label_conflicts == 6


def test_a_limit_that_is_kept_stops_nothing(audit):
    found = audit(ROWS, max_cross_split_duplicates=1, max_label_conflicts=0.86)
    assert found.label_conflicts == 6


# Paraphrases: a family tells of one case with a few words changed, as published symptom sets do.
SYMPTOMS = [
    f"{part} {kind}"
    for part in ("chest", "knee", "skin", "head")
    for kind in ("pain", "swelling", "itching", "numbness", "burning", "weakness")
]


def paraphrase_families(count=60, members=4):
    """Rows (label, text); the members of a family differ in a word or two out of thirty."""
    rng = random.Random(0)
    rows = []
    for number in range(count):
        label = ("heart", "lung", "skin")[number % 3]
        words = [*" ".join(rng.sample(SYMPTOMS, 12)).split(), f"case{number}", f"{label}{number}"]
        for _ in range(members):
            changed = list(words)
            changed[rng.randrange(len(words))] = rng.choice(["indeed", "really", "often"])
            rows.append((label, " ".join(changed)))
    rng.shuffle(rows)
    return rows


def test_grouped_splits_cure_a_set_known_to_be_bad(audit, ingest, tmp_path):
    """Spread over a random split the families leak; grouped, none does."""
    (tmp_path / "data").mkdir()
    lines = [f"{key},{label},{text}\n" for key, (label, text) in enumerate(paraphrase_families())]
    (tmp_path / "data" / "rows.csv").write_text("id,label,text\n" + "".join(lines))

    def split(**settings):
        splits = SplitConfig(eval=0.15, test=0.25, **settings)
        config = TextConfig(label_column="label", key_column="id", splits=splits)
        result = ingest(TextExecutor, config, tmp_path / "data")
        assert result.counts.kept == 240
        return {
            name: [
                tuple(row[field][0].decode() for field in ("key", "label", "text")) for row in rows
            ]
            for name, rows in result.examples.items()
        }

    limits = {"max_cross_split_duplicates": 0.0, "max_label_conflicts": 0.0}
    with pytest.raises(DataAuditError, match="group_near_duplicates: true") as error:
        audit(split(), **limits)
    bad = re.search(r"(\d+) of (\d+) test examples", str(error.value))
    assert int(bad[1]) > 0.8 * int(bad[2]) > 30

    found = audit(split(group_near_duplicates=True), **limits)
    assert found.warnings == ()
    assert all(overlap.examples > 20 for overlap in found.overlaps)
    assert (
        found.overlap("test", "train").duplicated == found.overlap("eval", "train").duplicated == 0
    )
    assert found.overlap("train", "train").share > 0.9  # the families are whole
    assert sum(size * number for size, number in found.cluster_sizes.items()) > 230


TESTS = {
    "train": [("1", "x", "one"), ("2", "y", "two")],
    "test": [("5", "x", "three"), ("10", "y", "four")],
}


@pytest.mark.parametrize("compressed", [False, True])
def test_keys_of_the_pretraining_data_in_a_file(audit, tmp_path, compressed):
    path = tmp_path / ("keys.txt.gz" if compressed else "keys.txt")
    with (gzip.open if compressed else open)(path, "wt") as file:
        file.write("1\n10\n\n 7\n")
    source = Pretraining("keys", str(path))
    found = audit(TESTS, source)
    assert (found.pretraining.present, found.pretraining.keys) == (1, ("10",))
    assert found.pretraining.share == 0.5
    assert found.warnings == ("1 of 2 test examples (50.0%) are in the encoder's pretraining data",)
    with pytest.raises(
        DataAuditError, match=r"pretraining data; the first: 10\. Cure: pretrain with"
    ):
        audit(TESTS, source, forbid_pretraining_overlap=True)


def write_pretraining_rows(folder, keys):
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), "GZIP") as writer:
        for pair in itertools.zip_longest(keys[::2], keys[1::2], fillvalue="0"):
            example = tf.train.Example()
            example.features.feature["document_keys"].bytes_list.value.extend(
                k.encode() for k in pair
            )
            writer.write(example.SerializeToString())


def test_keys_in_the_rows_of_the_pretraining_line(auditor, tmp_path):
    write_pretraining_rows(tmp_path / "rows" / "Split-train", ["1", "2", "3"])
    write_pretraining_rows(tmp_path / "rows" / "Split-eval", ["4", "5", "5"])
    (tmp_path / "rows" / "vocabulary").mkdir()
    found = auditor.run(TESTS, Pretraining("examples", str(tmp_path / "rows")))
    assert found.pretraining.keys == ("5",)


def test_rows_that_are_gone_are_no_proof(audit, tmp_path):
    with pytest.raises(ValueError, match="should name the pretraining data: no such file"):
        audit(TESTS, Pretraining("examples", str(tmp_path / "nowhere")))


def provenance(folder, **settings) -> Pretraining:
    config = PretrainExamplesConfig(**settings)
    path = folder / "provenance.json"
    path.write_text(json.dumps({"examples": {"config": config.model_dump(mode="json")}}))
    return Pretraining("provenance", str(path))


def test_what_was_held_out_was_not_seen(audit, tmp_path):
    found = audit(
        TESTS, provenance(tmp_path, held_out={"modulus": 5}), forbid_pretraining_overlap=True
    ).pretraining
    assert (found.source, found.test_examples, found.present) == ("provenance", 2, 0)


def test_what_was_not_held_out_may_have_been_seen(audit, tmp_path):
    source = provenance(tmp_path, held_out={"modulus": 10})
    with pytest.raises(DataAuditError, match=r"1 of 2 test examples \(50.0%\) were not held out"):
        audit(TESTS, source, forbid_pretraining_overlap=True)
    keys = {"test": [("a:1", "x", "no number"), ("10", "x", "a number")]}
    assert audit(keys, source).pretraining.keys == ("a:1",)


def test_a_list_of_held_out_keys_that_is_gone_tells_nothing(audit, tmp_path):
    (tmp_path / "held").write_text("5\n10\n")
    source = provenance(tmp_path, held_out_keys=str(tmp_path / "held"))
    assert audit(TESTS, source).pretraining.present == 0
    (tmp_path / "held").unlink()
    assert audit(TESTS, source).pretraining.source == "unknown"


def test_nothing_known_is_not_enough_where_overlap_is_forbidden(audit):
    assert audit(TESTS, Pretraining("unknown")).warnings == ()
    with pytest.raises(
        DataAuditError, match="nothing is known of what the encoder was pretrained on"
    ):
        audit(TESTS, Pretraining("unknown"), forbid_pretraining_overlap=True)
