"""The train split reweighted and augmented through the real executor."""

import collections
import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.utils import io_utils

from components.data_validator.schema import build_schema
from components.evaluator.fairness.config import AttributeConfig
from components.mitigation.component import Mitigation
from components.mitigation.config import MitigationConfig
from components.mitigation.executor import Executor
from components.mitigation.rows import Mitigator
from components.mitigation.weights import cell_weights

SEX = AttributeConfig(rule="sex", swap=True)
ROWS = {
    "train": [
        *[("he coughs", "lung", 1)] * 6,
        *[("she coughs", "lung", 2)] * 2,
        *[("He aches", "heart", 1)] * 1,
        *[("her heart", "heart", 2)] * 3,
        *[("a heart", "heart", 3)] * 4,
        *[("men and women", "lung", 3)] * 2,
    ],
    "eval": [("he aches", "heart", 1), ("a lung", "lung", 2)],
    "test": [("she aches", "heart", 1)],
}
TRAIN = len(ROWS["train"])


def write(path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for key, (text, label, site) in rows:
            example = tf.train.Example()
            for name, value in {"key": f"k{key}", "text": text, "label": label}.items():
                example.features.feature[name].bytes_list.value.append(value.encode())
            example.features.feature["site"].int64_list.value.append(site)
            writer.write(example.SerializeToString(deterministic=True))


def read(folder):
    """Key, text, label and weight of each row, by file."""
    found = {}
    for path in sorted(folder.glob("*")):
        features = [
            tf.train.Example.FromString(raw).features.feature
            for raw in tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator()
        ]
        found[path.name] = [
            (
                *(f[name].bytes_list.value[0].decode() for name in ("key", "text", "label")),
                *f["example_weight"].float_list.value,
            )
            for f in features
        ]
    return found


@pytest.fixture
def mitigate(tmp_path):
    def run(attribute=SEX, beam_args=(), files=3, **config):
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        inputs = {"examples": standard_artifacts.Examples(), "schema": standard_artifacts.Schema()}
        outputs = {
            "mitigated_examples": standard_artifacts.Examples(),
            "mitigated_schema": standard_artifacts.Schema(),
        }
        for name, artifact in {**inputs, **outputs}.items():
            artifact.uri = str(out / name)
        inputs["examples"].split_names = artifact_utils.encode_split_names(list(ROWS))
        for split, rows in ROWS.items():
            for i in range(files):
                numbered = list(enumerate(rows))[i::files]
                write(out / f"examples/Split-{split}/examples-{i}.gz", numbered)
        kinds = {"key": "bytes", "text": "bytes", "label": "bytes", "site": "int64"}
        io_utils.write_pbtxt_file(str(out / "schema/schema.pbtxt"), build_schema(kinds))
        Executor(Executor.Context(beam_pipeline_args=list(beam_args), tmp_dir=str(out))).Do(
            {name: [artifact] for name, artifact in inputs.items()},
            {name: [artifact] for name, artifact in outputs.items()},
            {
                "config": MitigationConfig(attribute="sex", **config).model_dump_json(),
                "attribute": attribute.model_dump_json(),
            },
        )
        assert outputs["mitigated_examples"].split_names == inputs["examples"].split_names
        return out

    return run


def flat(out):
    return [row for rows in read(out / "mitigated_examples/Split-train").values() for row in rows]


def group_of(text):
    words = set(text.lower().split())
    female, male = words & {"she", "her", "women"}, words & {"he", "his", "men"}
    return (bool(female), bool(male))


def test_under_the_weights_group_and_label_are_independent(mitigate):
    rows = flat(mitigate(reweight=True))
    assert len(rows) == TRAIN
    joint = collections.Counter()
    for _, text, label, weight in rows:
        joint[group_of(text), label] += weight / TRAIN
    counts = collections.Counter((group_of(text), label) for text, label, _ in ROWS["train"])
    for (group, label), share in joint.items():
        expected = [
            sum(n for cell, n in counts.items() if cell[i] == name) / TRAIN
            for i, name in enumerate((group, label))
        ]
        assert share == pytest.approx(expected[0] * expected[1], rel=1e-6)


def test_a_copy_with_swapped_words_follows_each_text_that_has_some(mitigate):
    for name, rows in read(mitigate(augment=True) / "mitigated_examples/Split-train").items():
        expected = []
        for i, (text, label, _) in list(enumerate(ROWS["train"]))[int(name[-4]) :: 3]:
            expected.append((f"k{i}", text, label, 1.0))
            swaps = {
                "he coughs": "she coughs",
                "she coughs": "he coughs",
                "He aches": "She aches",
                "her heart": "his heart",
                "men and women": "women and men",
            }
            if text in swaps:
                expected.append((f"k{i}#swapped", swaps[text], label, 1.0))
        assert rows == expected


def test_copies_count_for_the_weights(mitigate):
    """Every text with a group has its counterpart, so nothing is left to weigh but those with none."""
    rows = flat(mitigate(augment=True, reweight=True))
    pairs = [row for row in rows if group_of(row[1])[0] != group_of(row[1])[1]]
    weights = {label: {w for _, _, own, w in pairs if own == label} for label in ("lung", "heart")}
    assert [len(each) for each in weights.values()] == [1, 1]


def test_a_raw_feature_gives_the_groups(mitigate):
    out = mitigate(AttributeConfig(feature="site"), reweight=True)
    report = json.loads((out / "mitigated_examples/mitigation.json").read_text())
    counts = collections.Counter((str(site), label) for _, label, site in ROWS["train"])
    assert {(c["group"], c["label"]): c["examples"] for c in report["cells"]} == counts
    weights = cell_weights(counts)
    for cell in report["cells"]:
        assert cell["weight"] == pytest.approx(weights[cell["group"], cell["label"]])
    by_key = {f"k{i}": (str(site), label) for i, (_, label, site) in enumerate(ROWS["train"])}
    for key, _, _, weight in flat(out):
        assert weight == pytest.approx(weights[by_key[key]], rel=1e-6)


def test_the_other_splits_keep_every_byte(mitigate):
    out = mitigate(augment=True, reweight=True)
    for split in ("eval", "test"):
        old, new = (
            {p.name: p.read_bytes() for p in (out / name / f"Split-{split}").iterdir()}
            for name in ("examples", "mitigated_examples")
        )
        assert new == old


def test_the_schema_knows_the_weight(mitigate):
    out = mitigate(reweight=True)
    schema = io_utils.SchemaReader().read(str(out / "mitigated_schema/schema.pbtxt"))
    names = [feature.name for feature in schema.feature]
    assert names == ["key", "label", "site", "text", "example_weight"]
    assert schema.feature[-1].presence.min_fraction == 0


def test_other_workers_write_the_same(mitigate):
    one = mitigate(augment=True, reweight=True)
    arguments = ["--direct_num_workers=2", "--direct_running_mode=multi_threading"]
    two = mitigate(augment=True, reweight=True, beam_args=arguments)
    for path in (one / "mitigated_examples").rglob("*.*"):
        other = two / path.relative_to(one)
        records = (
            list(tf.data.TFRecordDataset(str(p), "GZIP").as_numpy_iterator())
            if path.suffix == ".gz"
            else p.read_bytes()
            for p in (path, other)
        )
        assert next(records) == next(records)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), st.integers(1, 50), min_size=1
    )
)
def test_weights_leave_the_sizes_of_groups_and_labels_where_all_cells_are_filled(counts):
    weights = cell_weights(counts)
    assert set(weights) == set(counts)
    if len(counts) == len({g for g, _ in counts}) * len({label for _, label in counts}):
        for place in (0, 1):
            for name in {cell[place] for cell in counts}:
                own = [cell for cell in counts if cell[place] == name]
                assert sum(weights[c] * counts[c] for c in own) == pytest.approx(
                    sum(counts[c] for c in own)
                )


def test_independent_groups_weigh_1():
    counts = {("a", "x"): 2, ("a", "y"): 4, ("b", "x"): 3, ("b", "y"): 6}
    assert np.allclose(list(cell_weights(counts).values()), 1)


def test_the_cache_key_holds_settings_rule_and_code():
    def key(attribute=SEX, **config):
        component = Mitigation(
            examples=channel.Channel(type=standard_artifacts.Examples),
            schema=channel.Channel(type=standard_artifacts.Schema),
            config=MitigationConfig(attribute="sex", **config),
            attribute=attribute,
        )
        return component.exec_properties

    assert set(key(reweight=True)) == {"config", "attribute", "code_fingerprint"}
    others = (key(augment=True), key(AttributeConfig(feature="sex"), reweight=True))
    assert all(other != key(reweight=True) for other in others)


def test_settings_that_do_nothing_are_refused():
    with pytest.raises(ValueError, match="reweight: true, augment: true"):
        MitigationConfig(attribute="sex")


def test_the_words_of_both_texts_of_a_pair_are_swapped(tmp_path):
    path = str(tmp_path / "rows.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for key, text, pair in (("a", "he coughs", "she does not"), ("b", "cough", "fever")):
            example = tf.train.Example()
            for name, value in {"key": key, "text": text, "text_pair": pair, "label": "x"}.items():
                example.features.feature[name].bytes_list.value.append(value.encode())
            writer.write(example.SerializeToString())
    rows = [
        tf.train.Example.FromString(row).features.feature
        for row in Mitigator(MitigationConfig(attribute="sex", augment=True), SEX).rows(path, {})
    ]
    names = ("key", "text", "text_pair")
    assert [[row[name].bytes_list.value[0].decode() for name in names] for row in rows] == [
        ["a", "he coughs", "she does not"],
        ["a#swapped", "she coughs", "he does not"],
        ["b", "cough", "fever"],
    ]
