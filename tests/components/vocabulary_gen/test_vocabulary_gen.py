"""Vocabularies learned and imported through the real executor."""

import pathlib
import subprocess
import sys

import apache_beam as beam
import pytest
import tensorflow as tf
from apache_beam.testing.util import assert_that, equal_to
from tfx.types import channel, standard_artifacts

from components.vocabulary_gen.component import VocabularyGen
from components.vocabulary_gen.config import VocabularyConfig
from components.vocabulary_gen.executor import commonest
from components.vocabulary_gen.learners import RESERVED, LearnerError
from components.vocabulary_gen.measures import count_words
from models.gpt.sentencepiece_tokenizer import SentencepieceTokenizer
from models.tokenizer import BertTokenizer

ROOT = str(pathlib.Path(__file__).parents[3])
TRAIN = [
    f"The heart of patient {n} failed. Heart failure, failing hearts: {'lung ' * (n % 3)}in CAFÉ {n % 7}!"
    for n in range(40)
]
TEXTS = {"train": TRAIN, "eval": ["The heart of a zebra \u2603.", "lung"], "test": ["unseen"]}
WORDPIECE = VocabularyConfig(kind="wordpiece", size=120)
BPE = VocabularyConfig(kind="bpe", size=330)


def test_learns_a_wordpiece_vocabulary(make_vocabulary):
    made = make_vocabulary(WORDPIECE, TEXTS)
    assert tuple(made.tokens[:5]) == RESERVED
    assert len(made.tokens) == made.report["tokens"] <= 120
    assert {"heart", "lung", "cafe", "##e"} <= set(made.tokens)
    assert not {"CAFÉ", "zebra", "unseen"} & set(made.tokens)
    tokenizer = BertTokenizer(made.tokens, max_length=1000)
    assert 1 not in tokenizer(tf.constant(TRAIN)).flat_values.numpy()  # [UNK]


def test_reports_what_the_wordpieces_make_of_both_splits(make_vocabulary):
    made = make_vocabulary(WORDPIECE, TEXTS)
    train, held_out = made.report["splits"]["train"], made.report["splits"]["eval"]
    words = count_words("wordpiece", [text.encode() for text in TRAIN])
    assert train["texts"] == 40
    assert (train["words"], train["distinct_words"]) == (sum(words.values()), len(words))
    assert train["unknown"] == 0
    assert train["coverage"] == 1
    pieces = BertTokenizer(made.tokens, 1000).pieces(tf.constant(TRAIN)).flat_values
    assert train["pieces"] == tf.size(pieces)
    assert train["pieces_per_word"] == pytest.approx(train["pieces"] / train["words"], abs=1e-4)
    # the heart of a [zebra] [snowman] . lung
    assert held_out["words"] == 8
    assert held_out["unknown"] == 2
    assert held_out["unknown_rate"] == 0.25
    assert held_out["coverage"] == 0.75


def test_learns_a_lossless_bpe_vocabulary(make_vocabulary):
    made = make_vocabulary(BPE, TEXTS)
    tokenizer = SentencepieceTokenizer(made.content)  # checks that nothing is lost
    assert tokenizer.vocabulary_size == made.report["tokens"] == 330
    assert tokenizer.end_id == 2
    ids = tokenizer(tf.constant(TRAIN))
    assert made.report["splits"]["train"]["pieces"] == tf.size(ids.flat_values)
    assert made.report["splits"]["train"]["coverage"] == 1
    assert made.report["splits"]["eval"]["unknown"] == 3 + 2  # the bytes of U+2603, z and b


@pytest.mark.parametrize("config", [WORDPIECE, BPE], ids=["wordpiece", "bpe"])
def test_does_not_depend_on_order_files_and_workers(make_vocabulary, config):
    made = make_vocabulary(config, TEXTS)
    workers = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]
    again = make_vocabulary(config, {**TEXTS, "train": TRAIN[::-1]}, files=3, beam_args=workers)
    assert again.content == made.content
    assert again.report == made.report


def test_of_too_many_words_the_commonest_are_learned_from():
    words = [("d", 2), ("a", 1), ("c", 2), ("b", 3), ("e", 2)]
    for order in (words, words[::-1]):
        with beam.Pipeline(runner="FnApiRunner") as pipeline:
            found = pipeline | beam.Create(order) | commonest(3) | beam.Map(sorted)
            assert_that(found, equal_to([[("b", 3), ("c", 2), ("d", 2)]]))


def test_wordpieces_do_not_depend_on_pythons_hashes():
    program = """
import hashlib
from components.vocabulary_gen.learners import learn_wordpiece
words = {"heart": 9, "hearts": 5, "earth": 5, "lung": 4, "lungs": 4, "art": 3}
print(hashlib.sha256(learn_wordpiece(words.items(), 40)).hexdigest())
"""
    found = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()[-1]
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.parametrize("config", [WORDPIECE, BPE], ids=["wordpiece", "bpe"])
def test_a_learned_vocabulary_is_imported_with_the_same_report(make_vocabulary, config):
    made = make_vocabulary(config, TEXTS)
    path = str(made.folder / config.file_name)
    given = make_vocabulary(VocabularyConfig(kind=config.kind, path=path), TEXTS)
    assert given.content == made.content
    assert given.report == made.report


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_refuses_to_import_what_is_no_vocabulary(make_vocabulary, tmp_path, kind):
    (tmp_path / "wrong").write_text("heart\n")
    config = VocabularyConfig(kind=kind, path=str(tmp_path / "wrong"))
    with pytest.raises(ValueError, match=f"vocabulary.path {tmp_path}/wrong: "):
        make_vocabulary(config, TEXTS)


@pytest.mark.parametrize("config", [WORDPIECE, BPE], ids=["wordpiece", "bpe"])
def test_refuses_an_empty_train_split(make_vocabulary, config):
    with pytest.raises(LearnerError, match="no words to learn from"):
        make_vocabulary(config, {**TEXTS, "train": []})


@pytest.mark.parametrize(
    "config",
    [VocabularyConfig(size=20), VocabularyConfig(kind="bpe", size=260)],
    ids=["wordpiece", "bpe"],
)
def test_refuses_a_size_below_the_characters(make_vocabulary, config):
    with pytest.raises(LearnerError, match=f"vocabulary.size {config.size} "):
        make_vocabulary(config, TEXTS)


def test_names_the_split_that_is_missing(make_vocabulary):
    with pytest.raises(ValueError, match="no split eval, only train"):
        make_vocabulary(WORDPIECE, {"train": TRAIN})


def test_the_settings_name_one_source():
    with pytest.raises(ValueError, match="either size"):
        VocabularyConfig()
    with pytest.raises(ValueError, match="either size"):
        VocabularyConfig(size=100, path="vocab.txt")


def test_the_cache_key_sees_the_code_and_the_imported_file(tmp_path):
    def properties():
        examples = channel.Channel(type=standard_artifacts.Examples)
        component = VocabularyGen(examples=examples, config=VocabularyConfig(path=str(path)))
        return component.exec_properties

    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n")
    before = properties()
    path.write_text("[PAD]\nheart\n")
    after = properties()
    assert before["files_fingerprint"] != after["files_fingerprint"]
    assert len(after["code_fingerprint"]) == 16
