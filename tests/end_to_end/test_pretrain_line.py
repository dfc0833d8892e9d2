"""Whole runs of the pretraining line, and of the method: pretrain, then fine-tune from what was pushed."""

import json
import math
import random
from pathlib import Path

import pytest
import safetensors.numpy
from end_to_end_world import FILLER, TOPICS, Recorder, settings, start_command
from training_processes import exit_code

from components.pretrain_example_gen.shards import document_keys
from pipeline.commands.options import EXIT_NOT_BLESSED
from pipeline.configs import PipelineConfig
from pipeline.inputs import find_inputs
from pipeline.pretrain_config import MethodConfig, PretrainConfig
from pipeline.run import new_run_id, run

pytestmark = pytest.mark.slow

SIZES = {"num_layers": 2, "num_heads": 2, "hidden_dim": 32, "intermediate_dim": 64}
TEST_SPLIT = {"modulus": 5, "remainder": 0}
HELD_OUT = {"modulus": 7, "remainder": 3}


def write_documents(folder: Path, count: int = 300) -> None:
    """Documents of sentences that are all of one topic, so that the next sentence can be told."""
    rng = random.Random(1)
    rows = []
    for number in range(count):
        topic = TOPICS[rng.choice(list(TOPICS))]
        sentences = []
        for _ in range(rng.randint(3, 8)):
            words = rng.choices(FILLER, k=rng.randint(2, 5)) + rng.choices(topic, k=3)
            rng.shuffle(words)
            sentences.append(f"{' '.join(words).capitalize()}.")
        rows.append({"id": str(number), "text": " ".join(sentences)})
    folder.mkdir()
    lines = [json.dumps(row) + "\n" for row in rows]
    (folder / "documents.jsonl").write_text("".join(lines))


def pretrain_settings(folder: Path, **changes: object) -> dict:
    """A config as a YAML file would hold it; `changes` replace whole groups."""
    return {
        "name": "tiny_pretrain",
        "root": str(folder / "runs"),
        "data": {
            "path": str(folder / "documents"),
            "text": {
                "pattern": "*.jsonl",
                "key_column": "id",
                "splits": {"test_rule": TEST_SPLIT, "eval": 0.1},
            },
        },
        "vocabulary": {"kind": "wordpiece", "size": 80},
        "examples": {"max_length": 64, "held_out": HELD_OUT},
        "model": SIZES | {"max_sequence_length": 64},
        "training": {"epochs": 3, "batch_size": 16, "optimizer": {"learning_rate": 5e-3}},
        "gate": {"max_perplexity": 60},
    } | changes


@pytest.fixture(scope="module")
def documents(world):
    write_documents(world / "documents")
    return world


@pytest.fixture(scope="module")
def first(documents):
    config = PretrainConfig.model_validate(pretrain_settings(documents))
    return run(config, new_run_id(), Recorder())


def test_a_backbone_is_learned_blessed_and_pushed_with_its_provenance(first):
    assert first["error"] is None
    assert first["status"] == "succeeded"
    folder = Path(first["pushed"]["path"])
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["training"]["eval"]["mlm_loss"] > 0
    assert provenance["settings"]["model"]["num_layers"] == 2
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    vocabulary = (folder / "vocab.txt").read_text().splitlines()
    assert len(tensors["bert.embeddings.word_embeddings.weight"]) == len(vocabulary)
    assert {"cls.predictions.bias", "cls.seq_relationship.weight"} <= set(tensors)


def test_what_is_pushed_was_measured_as_it_was_trained(first):
    """The gate loads the pushed folder in float32; the training measured the same rows and masks."""
    [model] = first["artifacts"]["Trainer.model"]
    trained = json.loads(Path(model, "training_metrics.json").read_text())["eval"]
    measured = first["metrics"]["eval"]
    for name in ("mlm_loss", "nsp_accuracy"):
        assert measured[name] == pytest.approx(trained[name], abs=1e-4)


def test_no_row_is_of_a_held_out_document_nor_of_the_test_split(first):
    [examples] = first["artifacts"]["PretrainExampleGen.pretrain_examples"]
    rows = [keys for path in Path(examples).glob("Split-*/*") for keys in document_keys(str(path))]
    found = {int(key) for keys in rows for key in keys.values.numpy()}
    assert found == {key for key in range(300) if key % 7 != 3 and key % 5}
    counts = first["pretrain_examples"]["splits"]
    for split in counts.values():
        assert split["rows_checked"] == split["rows"] > 0
        assert split["read"] == split["held_out"] + split["documents"]
    held_out = sum(split["held_out"] for split in counts.values())
    assert held_out == sum(key % 7 == 3 and key % 5 > 0 for key in range(300))


def test_an_unchanged_line_is_cached(first, documents):
    listener = Recorder()
    config = PretrainConfig.model_validate(pretrain_settings(documents))
    again = run(config, new_run_id(), listener)
    assert set(listener.states.values()) == {"cached"}
    assert again["pushed"] == first["pushed"]


def test_a_model_that_misses_the_gate_is_not_pushed_and_says_why(first, documents):
    changed = pretrain_settings(documents, gate={"max_perplexity": 1.5})
    summary = run(PretrainConfig.model_validate(changed), new_run_id(), Recorder())
    assert summary["status"] == "not_blessed"
    assert summary["pushed"] is None
    [reason] = summary["blessing"]["reasons"]
    assert reason.startswith("perplexity on the eval split is ")


def test_a_gpt_is_pushed_as_a_saved_model_that_writes(documents):
    import tensorflow as tf

    changed = pretrain_settings(
        documents,
        name="tiny_gpt",
        vocabulary={"kind": "bpe", "size": 400},
        examples={"objective": "clm", "max_length": 64},
        gate={"max_perplexity": 300, "max_bits_per_byte": 5},
    )
    summary = run(PretrainConfig.model_validate(changed), new_run_id(), Recorder())
    assert summary["error"] is None
    assert summary["blessing"] == {"blessed": True, "reasons": []}
    assert summary["components"]["ServingValidator"]["state"] == "ran"
    loaded = tf.saved_model.load(summary["pushed"]["path"])
    answer = loaded.signatures["generate"](
        prompt=tf.constant(["The patient had"]),
        max_new_tokens=tf.constant(5),
        temperature=tf.constant(0.0),
        top_k=tf.constant(0),
        top_p=tf.constant(1.0),
        seed=tf.constant(0, tf.int64),
    )
    assert 0 < answer["tokens"].numpy()[0] <= 5


@pytest.fixture
def method(documents):
    """The settings of both lines; the first is `first`'s, and cached."""
    finetune = settings(documents)
    finetune |= {
        "model": {
            "pretrained": {"pipeline": "tiny_pretrain", "root": str(documents / "runs")},
            "max_length": 64,
        },
        "name": "tiny_after",
    }
    return {"pretrain": pretrain_settings(documents), "finetune": finetune}


def test_fine_tuning_finds_the_encoder_by_line_by_run_and_by_folder(first, method):
    taken = method["finetune"]["model"]["pretrained"]
    ways = (
        {"pretrained": taken},
        {"pretrained": taken | {"run": first["run_id"]}},
        {"weights": first["pushed"]["path"]},
    )
    for way in ways:
        config = PipelineConfig.model_validate(
            method["finetune"] | {"model": {"max_length": 64} | way}
        )
        inputs = find_inputs(config)
        assert inputs.weights == first["pushed"]["path"]
        assert inputs.vocabulary == f"{first['pushed']['path']}/vocab.txt"


def test_pretraining_goes_on_from_what_was_pushed(first, documents):
    """With its vocabulary, and without its head for sentence pairs."""
    changed = pretrain_settings(
        documents,
        name="tiny_continued",
        examples={"objective": "mlm", "max_length": 64},
        model={"weights": first["pushed"]["path"]},
        training={"epochs": 1, "batch_size": 16, "optimizer": {"learning_rate": 1e-4}},
    )
    del changed["vocabulary"]
    summary = run(PretrainConfig.model_validate(changed), new_run_id(), Recorder())
    assert summary["error"] is None
    assert summary["inputs"]["weights"] == first["pushed"]["path"]
    vocabularies = [Path(s["pushed"]["path"], "vocab.txt").read_text() for s in (first, summary)]
    assert vocabularies[0] == vocabularies[1]
    learned, after = (s["metrics"]["eval"]["mlm_loss"] for s in (first, summary))
    nothing = math.log(
        len(vocabularies[0].splitlines())
    )  # where such an epoch leaves random weights
    assert after < (learned + nothing) / 2


def test_the_whole_method_goes_in_one_command(first, method, documents):
    assert MethodConfig.model_validate(method)
    process = start_command(method, documents)
    assert exit_code(process) == 0, (documents / "log.txt").read_text()
    summary = json.loads(
        max((documents / "runs" / "tiny_after").glob("*/summary.json")).read_text()
    )
    assert summary["inputs"]["weights"] == first["pushed"]["path"]
    assert summary["pushed"]


def test_a_pretraining_that_misses_its_gate_stops_the_method(first, method, documents):
    method["pretrain"]["gate"] = {"max_perplexity": 1.5}
    method["finetune"]["name"] = "tiny_never"
    process = start_command(method, documents)
    assert exit_code(process) == EXIT_NOT_BLESSED
    assert not (documents / "runs" / "tiny_never" / "serving").exists()
