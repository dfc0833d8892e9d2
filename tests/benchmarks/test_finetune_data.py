import pytest

from benchmarks.finetune_throughput.data import Lengths, read_rows


def test_rows_are_read_up_to_the_limit(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text('{"text": "β-blocker", "label": "heart"}\n{"text": "cough", "label": "lung"}\n')
    assert read_rows(path) == (["β-blocker", "cough"], ["heart", "lung"])
    assert read_rows(path, 1) == (["β-blocker"], ["heart"])


def test_lengths_count_the_ids_before_they_are_cut(tmp_path):
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nheart\n")
    lengths = Lengths.of(["heart", "heart heart heart", "heart heart"], vocabulary, max_length=4)
    assert lengths == Lengths(mean=4.0, median=4.0, longest=5, share_cut=pytest.approx(1 / 3))
