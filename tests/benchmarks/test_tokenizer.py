"""The tokenizer benchmark on a few words."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import tokenizer
from models.tokenizer import BertTokenizer, read_vocabulary

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "fail", "##ure", "the", "."]
TEXTS = ["The heart.", "failure", "", "heart " * 9] * 200  # more than one batch


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    file = tmp_path_factory.mktemp("words") / "vocab.txt"
    file.write_text("".join(f"{word}\n" for word in WORDS))
    return file


def test_all_of_tensorflows_give_the_same_framed_ids(vocabulary):
    contenders = (
        BertTokenizer(read_vocabulary(vocabulary), max_length=1000),
        tokenizer.bert_tokenizer(vocabulary),
        tokenizer.fast_bert_tokenizer(vocabulary),
    )
    ours, *others = (tokenizer.run_graph(contender, TEXTS) for contender in contenders)
    assert ours[0][:5].tolist() == [2, 7, 4, 8, 3]
    assert ours[1].tolist() == [5, 4, 2, 11] * 200
    assert [tokenizer.count_differences(ours, other) for other in others] == [0, 0]


def test_texts_with_other_ids_are_counted():
    ours = np.array([2, 4, 3, 2, 3, 2, 7, 3]), np.array([3, 2, 3])
    other = np.array([2, 5, 3, 2, 3, 2, 3]), np.array([3, 2, 2])
    assert tokenizer.count_differences(ours, ours) == 0
    assert tokenizer.count_differences(ours, other) == 2


def test_the_report_has_a_row_for_each_of_the_others(capsys):
    names = (tokenizer.OURS, tokenizer.PEER, tokenizer.TF_TEXT_FAST)
    ids = {name: (np.array([2, 3]), np.array([2])) for name in names}
    ids[tokenizer.TF_TEXT_FAST] = (np.array([2, 4, 3]), np.array([3]))
    seconds = {name: [float(n), 2.0 * n] for n, name in enumerate(names, start=1)}
    rows = tokenizer.report(seconds, ids, ["heart"])
    assert [(row["work"], row["ratio"], row["differences_from_huggingface"]) for row in rows] == [
        ("1 texts, Hugging Face", 2.0, 0),
        ("1 texts, tf-text FastBertTokenizer", 3.0, 1),
    ]
    assert "Hugging Face" in capsys.readouterr().out


@pytest.mark.slow  # imports TensorFlow and Beam in a process of its own
def test_no_library_warns():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tokenizer", "--help"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert done.stdout.startswith("usage: ")
