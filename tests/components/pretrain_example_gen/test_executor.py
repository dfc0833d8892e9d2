"""From raw examples to rows, through the real executor."""

import pytest

from components.example_gen.config import ModuloRule
from components.pretrain_example_gen.component import PretrainExampleGen
from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.pretrain_example_gen.held_out import HeldOut
from components.pretrain_example_gen.shards import HeldOutError, check_shard


def documents(first, number):
    """Documents of one to four sentences of different lengths."""
    return [
        (
            str(key),
            " ".join(
                "The heart was seen" + " of a lung" * (key % 7 + n) + "."
                for n in range(key % 4 + 1)
            ),
        )
        for key in range(first, first + number)
    ]


DOCUMENTS = {"train": documents(0, 60), "eval": documents(100, 20), "test": documents(200, 5)}
CLS, SEP = 2, 3


def sequences(made, split="train"):
    """(ids, where B begins, is random, keys of the row) of each sequence."""
    for row in made.rows[split]:
        first = 0
        assert sum(row["sequence_lengths"]) == len(row["token_ids"])
        for number, length in enumerate(row["sequence_lengths"]):
            yield (
                row["token_ids"][first : first + length],
                row["second_starts"][number],
                row["is_random_next"][number],
                row["document_keys"],
            )
            first += length


@pytest.mark.parametrize("packing", [True, False])
def test_rows_hold_framed_pairs(make_rows, packing):
    config = PretrainExamplesConfig(max_length=48, packing=packing, documents_per_shard=20)
    made = make_rows(config, DOCUMENTS)
    found = list(sequences(made)) + list(sequences(made, "eval"))
    for ids, second, is_random, keys in found:
        assert ids[0] == CLS
        assert ids[-1] == SEP
        assert [n for n, token in enumerate(ids) if token == SEP] == [second - 1, len(ids) - 1]
        assert is_random in (0, 1)
        assert len(keys) == len(set(keys)) > 0
    for split in ("train", "eval"):
        assert all(len(row["token_ids"]) <= 48 for row in made.rows[split])
        counts = made.report["splits"][split]
        assert counts["rows"] == len(made.rows[split]) == counts["rows_checked"]
        assert counts["documents"] == counts["read"] == len(DOCUMENTS[split])
        tokens = sum(len(row["token_ids"]) for row in made.rows[split])
        assert counts["tokens"] == tokens
        assert counts["packing_efficiency"] == pytest.approx(tokens / counts["rows"] / 48, abs=1e-4)
    longest = max(len(row["sequence_lengths"]) for row in made.rows["train"])
    assert (longest > 1) == packing
    assert len(list(made.folder.glob("Split-train/data_tfrecord-*-of-00003.gz"))) == 3
    assert (made.folder / "vocabulary/vocab.txt").is_file()


def test_the_test_split_is_never_read(make_rows):
    made = make_rows(PretrainExamplesConfig(max_length=48), DOCUMENTS)
    keys = {int(key) for rows in made.rows.values() for row in rows for key in row["document_keys"]}
    assert keys == {*range(60), *range(100, 120)}


def test_files_do_not_depend_on_order_files_and_workers(make_rows):
    config = PretrainExamplesConfig(max_length=48, documents_per_shard=20)
    workers = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]
    turned = {split: rows[::-1] for split, rows in DOCUMENTS.items()}
    again = make_rows(config, turned, files=3, beam_args=workers).files()
    assert again == make_rows(config, DOCUMENTS).files()


def test_another_seed_gives_other_pairs(make_rows):
    one, other = (
        make_rows(PretrainExamplesConfig(max_length=48, seed=s), DOCUMENTS) for s in (1, 2)
    )
    assert one.rows["train"] != other.rows["train"]


def test_held_out_documents_are_left_out_and_counted(make_rows, tmp_path):
    listed = tmp_path / "keys.txt"
    listed.write_text("7\n101\n")
    config = PretrainExamplesConfig(
        max_length=48, held_out=ModuloRule(modulus=5, remainder=0), held_out_keys=str(listed)
    )
    made = make_rows(config, DOCUMENTS)
    keys = {int(key) for row in made.rows["train"] for key in row["document_keys"]}
    assert keys == {key for key in range(60) if key % 5 and key != 7}
    assert made.report["splits"]["train"]["held_out"] == 13
    assert made.report["splits"]["eval"]["held_out"] == 5


def test_a_held_out_document_in_the_rows_is_an_error(make_rows):
    made = make_rows(PretrainExamplesConfig(max_length=48), DOCUMENTS)
    [path] = made.folder.glob("Split-train/*.gz")
    checked = check_shard(str(path), HeldOut(PretrainExamplesConfig()))
    assert checked["rows_checked"] == len(made.rows["train"])
    rule = PretrainExamplesConfig(held_out=ModuloRule(modulus=50, remainder=7))
    with pytest.raises(HeldOutError, match=r"data_tfrecord.*held-out document (7|57)"):
        check_shard(str(path), HeldOut(rule))


def test_a_rule_on_other_keys_than_numbers_is_an_error(make_rows):
    rows = {split: [(f"k{key}", text) for key, text in some] for split, some in DOCUMENTS.items()}
    config = PretrainExamplesConfig(held_out=ModuloRule(modulus=5, remainder=0))
    with pytest.raises(Exception, match="held_out needs integer keys, found b'k"):
        make_rows(config, rows)


def test_documents_without_a_token_are_counted(make_rows):
    rows = {**DOCUMENTS, "train": [*DOCUMENTS["train"], ("a", " \n"), ("b", "\u200b")]}
    counts = make_rows(PretrainExamplesConfig(max_length=48), rows).report["splits"]["train"]
    assert (counts["read"], counts["documents"], counts["without_tokens"]) == (62, 60, 2)


def test_an_empty_split_is_an_error(make_rows):
    with pytest.raises(Exception, match="split eval gives no row"):
        make_rows(PretrainExamplesConfig(max_length=48), {**DOCUMENTS, "eval": []})


def test_pairs_of_a_single_document_are_an_error(make_rows):
    with pytest.raises(Exception, match="document 100 is alone"):
        make_rows(PretrainExamplesConfig(max_length=48), {**DOCUMENTS, "eval": documents(100, 1)})


def test_full_sentences_lose_nothing_and_name_all_their_documents(make_rows):
    config = PretrainExamplesConfig(
        objective="mlm", max_length=24, packing=False, documents_per_shard=20
    )
    made = make_rows(config, DOCUMENTS)
    found: dict[str, list[int]] = {}
    for ids, second, is_random, keys in sequences(made):
        assert (ids[0], ids[-1], second, is_random) == (CLS, SEP, len(ids), -1)
        inside = " ".join(map(str, ids[1:-1]))
        for key, part in zip(keys, inside.split(f" {SEP} "), strict=True):
            found.setdefault(key.decode(), []).extend(map(int, part.split()))
    vocabulary = (made.folder / "vocabulary/vocab.txt").read_text().splitlines()
    for key, text in DOCUMENTS["train"]:
        words = text.lower().replace(".", " .").split()
        assert found.pop(key) == [vocabulary.index(word) for word in words]
    assert not found
    assert max(len(row["document_keys"]) for row in made.rows["train"]) > 1


def test_packing_full_sentences_changes_only_which_stand_in_a_row(make_rows):
    config = PretrainExamplesConfig(objective="mlm", max_length=24, documents_per_shard=20)
    packed = make_rows(config, DOCUMENTS)
    alone = make_rows(config.model_copy(update={"packing": False}), DOCUMENTS)
    ids = [sorted(tuple(ids) for ids, *_ in sequences(made)) for made in (packed, alone)]
    assert ids[0] == ids[1]
    assert len(packed.rows["train"]) < len(alone.rows["train"])


def test_the_vocabulary_must_fit_the_objective(make_rows):
    with pytest.raises(ValueError, match="objective clm needs a vocabulary with sentencepiece"):
        make_rows(PretrainExamplesConfig(objective="clm"), DOCUMENTS)


@pytest.fixture(scope="module")
def sentencepiece_folder(tmp_path_factory):
    import io

    import sentencepiece

    folder = tmp_path_factory.mktemp("sentencepiece")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text for _, text in DOCUMENTS["train"]),
        model_writer=model,
        model_type="bpe",
        byte_fallback=True,
        vocab_size=300,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["<|endoftext|>"],
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    (folder / "sentencepiece.model").write_bytes(model.getvalue())
    return folder


def test_gpt_rows_are_full_and_every_document_stands_between_end_tokens(
    make_rows, sentencepiece_folder
):
    import sentencepiece

    config = PretrainExamplesConfig(objective="clm", max_length=16, documents_per_shard=30)
    made = make_rows(config, DOCUMENTS, vocabulary=sentencepiece_folder)
    processor = sentencepiece.SentencePieceProcessor(
        model_file=str(sentencepiece_folder / "sentencepiece.model")
    )
    texts = []
    for row in made.rows["train"]:
        assert set(row) == {"token_ids", "sequence_lengths", "document_keys"}
        assert sum(row["sequence_lengths"]) == len(row["token_ids"])
        texts += row["token_ids"]
    assert sum(len(row["token_ids"]) < 16 for row in made.rows["train"]) <= 2  # the last of a shard
    joined = " ".join(str(token) for token in texts)
    for _, text in DOCUMENTS["train"]:
        assert " ".join(map(str, [2, *processor.encode(text), 2])) in joined


def test_the_component_sees_a_changed_list_of_keys(tmp_path):
    from tfx.types import channel, standard_artifacts

    from components.vocabulary_gen.artifact import Vocabulary

    def fingerprint(content):
        (tmp_path / "keys").write_text(content)
        component = PretrainExampleGen(
            channel.Channel(type=standard_artifacts.Examples),
            channel.Channel(type=Vocabulary),
            PretrainExamplesConfig(held_out_keys=str(tmp_path / "keys")),
        )
        return component.exec_properties["files_fingerprint"]

    assert fingerprint("1\n") != fingerprint("2\n")
