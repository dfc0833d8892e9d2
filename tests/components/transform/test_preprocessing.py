"""Transform's ids are the tokenizer's, its labels ordered, its statistics about language."""

import collections

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.transform.preprocessing import LABEL_VOCABULARY, preprocessing_config
from models.tokenizer import BertTokenizer, read_vocabulary

pytestmark = pytest.mark.slow  # runs the Transform component
SPLITS = ["train", "eval", "test"]


@pytest.fixture(scope="module")
def transform_output(transformed):
    return tft.TFTransformOutput(str(transformed.folder / "transform_graph"))


@pytest.fixture(scope="module")
def tokenizer(transformed):
    return BertTokenizer(read_vocabulary(transformed.vocabulary_file), max_length=16)


@pytest.mark.parametrize("split", SPLITS)
def test_ids_are_the_tokenizers(transformed, tokenizer, split):
    texts = [text for text, _ in transformed.rows[split]]
    expected = tokenizer(tf.constant(texts)).to_list()
    found = [example["token_ids"] for example in transformed.examples(split)]
    assert sorted(found) == sorted(expected)
    assert len({len(ids) for ids in found}) > 1  # unpadded
    assert max(map(len, found)) <= 16


def test_labels_are_numbered_by_falling_frequency(transformed, transform_output):
    counts = collections.Counter(label for _, label in transformed.rows["train"])
    labels = [name.decode() for name in transform_output.vocabulary_by_name(LABEL_VOCABULARY)]
    assert labels == ["gamma", "beta ❤", "alpha"]
    assert [counts[label] for label in labels] == [12, 8, 4]


@pytest.mark.parametrize(
    ("split", "expected"),
    [("train", {0: 12, 1: 8, 2: 4}), ("eval", {0: 1, 1: 1, 2: 1}), ("test", {-1: 2, 2: 1})],
)
def test_label_ids(transformed, split, expected):
    """Those of a label not seen in training, and of an empty one, are -1."""
    ids = collections.Counter(id for e in transformed.examples(split) for id in e["label_id"])
    assert ids == expected


def test_ids_and_label_belong_together(transformed, tokenizer):
    labels = {0: "gamma", 1: "beta ❤", 2: "alpha"}
    expected = sorted(
        (tokenizer(tf.constant([text])).to_list()[0], label)
        for text, label in transformed.rows["train"]
    )
    examples = transformed.examples("train")
    assert sorted((e["token_ids"], labels[e["label_id"][0]]) for e in examples) == expected


def test_only_ids_are_written(transformed):
    assert set(transformed.examples("train")[0]) == {"token_ids", "label_id"}


def test_the_graph_gives_the_same_ids_at_serving_time(transform_output, tokenizer):
    texts = ["the lungs of a heart", "", "unheard"]
    layer = transform_output.transform_features_layer()
    transformed = layer({"text": tf.constant(texts), "label": tf.constant(["alpha", "?", ""])})
    dense = tf.sparse.to_dense(transformed["token_ids"])
    assert dense.numpy().tolist() == tokenizer(tf.constant(texts)).to_tensor().numpy().tolist()
    assert transformed["label_id"].numpy().tolist() == [2, -1, -1]


@pytest.fixture(scope="module")
def language(transformed):
    path = transformed.folder / "post_transform_stats" / "FeatureStats.pb"
    [dataset] = tfdv.load_stats_binary(str(path)).datasets
    tokens = tfdv.get_feature_stats(dataset, tfdv.FeaturePath(["token_ids"]))
    [found] = [stats for stats in tokens.custom_stats if stats.name == "nl_statistics"]
    statistics = statistics_pb2.NaturalLanguageStatistics()
    found.any.Unpack(statistics)
    return statistics


def test_coverage_is_the_share_of_known_tokens(transformed, language):
    ids = [id for split in SPLITS for e in transformed.examples(split) for id in e["token_ids"]]
    unknown = ids.count(1)
    assert unknown > 0
    assert language.feature_coverage == pytest.approx(1 - unknown / len(ids))


def test_lengths_of_tokens_are_told(transformed, language):
    vocabulary = read_vocabulary(transformed.vocabulary_file)
    ids = [id for split in SPLITS for e in transformed.examples(split) for id in e["token_ids"]]
    known = [len(vocabulary[id]) for id in ids if id != 1]
    assert language.avg_token_length == pytest.approx(sum(known) / len(known))


def test_the_cache_key_changes_with_each_thing_it_stands_for():
    key = preprocessing_config("vocab.txt", "hash", 128)
    assert len(key["code_fingerprint"]) == 16
    others = [
        preprocessing_config("other.txt", "hash", 128),
        preprocessing_config("vocab.txt", "other", 128),
        preprocessing_config("vocab.txt", "hash", 64),
        preprocessing_config("vocab.txt", "hash", 128, has_weights=True),
        preprocessing_config("vocab.txt", "hash", 128, task="multi_label"),
        preprocessing_config("vocab.txt", "hash", 128, pairs=True),
    ]
    assert all(other != key for other in others)
