"""Pretraining under the Trainer: killed it ends as if it had not been, and it goes on from given weights."""

import json
import logging
import multiprocessing
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf
import training_processes
from tfx.components.trainer.fn_args_utils import FnArgs
from training_processes import exit_code

from components.pretrain_trainer.config import LanguageModelConfig, PretrainSettings
from components.pretrain_trainer.run_fn import PROVENANCE_FILE, run_fn
from components.trainer.runs import METRICS_FILE
from models.config import CheckpointConfig, OptimizerConfig, TrainingConfig

pytestmark = pytest.mark.slow
multiprocessing.set_forkserver_preload(
    [*training_processes.PRELOADED, "components.pretrain_trainer.run_fn"]
)

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
CLS, SEP, FIRST = 2, 3, 5
STILL = OptimizerConfig(learning_rate=1e-30, weight_decay=0)


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Path:
    """What PretrainExampleGen writes: packed sentence pairs of one letter or two."""
    folder = tmp_path_factory.mktemp("examples")
    rng = random.Random(0)
    for split, count in (("train", 160), ("eval", 30)):
        (folder / f"Split-{split}").mkdir()
        with tf.io.TFRecordWriter(str(folder / f"Split-{split}" / "rows.gz"), "GZIP") as writer:
            for _ in range(count):
                writer.write(packed_row(rng))
    (folder / "vocabulary").mkdir()
    (folder / "vocabulary" / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    (folder / "report.json").write_text("{}")
    return folder


def packed_row(rng: random.Random) -> bytes:
    lists: dict[str, list[int]] = {
        name: [] for name in ("token_ids", "sequence_lengths", "second_starts", "is_random_next")
    }
    for _ in range(rng.randint(1, 3)):
        letter, is_random = rng.randrange(8), rng.randrange(2)
        first = [FIRST + letter] * rng.randint(4, 8)
        second = [FIRST + (letter + is_random) % 8] * rng.randint(4, 8)
        sequence = [CLS, *first, SEP, *second, SEP]
        lists["token_ids"] += sequence
        lists["sequence_lengths"].append(len(sequence))
        lists["second_starts"].append(len(first) + 2)
        lists["is_random_next"].append(is_random)
    example = tf.train.Example()
    for name, values in lists.items():
        example.features.feature[name].int64_list.value.extend(values)
    return example.SerializeToString()


def fn_args(examples: Path, folder: Path, weights: Path | None = None, **training) -> FnArgs:
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
    settings = PretrainSettings(
        is_causal=False,
        model=LanguageModelConfig(**{"weights": str(weights)} if weights else sizes),
        training=TrainingConfig(
            **{
                "epochs": 2,
                "batch_size": 32,
                "checkpoint": CheckpointConfig(every_seconds=0),
                "optimizer": OptimizerConfig(learning_rate=3e-3),
            }
            | training
        ),
        checkpoints=str(folder / "checkpoints"),
        code_fingerprint="",
    )
    return FnArgs(
        train_files=[str(examples / "Split-train" / "*")],
        eval_files=[str(examples / "Split-eval" / "*")],
        serving_model_dir=str(folder / "model" / "Format-Serving"),
        model_run_dir=str(folder / "model_run"),
        custom_config=settings.model_dump(mode="json"),
    )


def start(examples: Path, folder: Path) -> multiprocessing.process.BaseProcess:
    arguments = {"fn_args": fn_args(examples, folder)}
    return training_processes.start(run_fn, arguments, folder / "log.txt")


def tensors(folder: Path) -> dict[str, np.ndarray]:
    return safetensors.numpy.load_file(folder / "model" / "Format-Serving" / "model.safetensors")


def measured(folder: Path) -> list[tuple]:
    epochs = json.loads((folder / "model" / METRICS_FILE).read_text())["epochs"]
    return [(epoch["epoch"], epoch["train"], epoch["eval"]) for epoch in epochs]


@pytest.fixture(scope="module")
def pretrained(examples, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pretrained")
    assert exit_code(start(examples, folder)) == 0, (folder / "log.txt").read_text()
    return folder


def test_a_killed_pretraining_ends_with_the_same_bits(examples, pretrained, tmp_path, caplog):
    """With packed rows, masks drawn in training, and sentence pairs."""
    process = start(examples, tmp_path)
    while process.is_alive() and len(list(tmp_path.glob("checkpoints/*/step-*/state.json"))) < 2:
        time.sleep(0.01)
    process.kill()
    assert exit_code(process) == -signal.SIGKILL, (tmp_path / "log.txt").read_text()
    assert not (tmp_path / "model").exists()
    with caplog.at_level(logging.INFO, "sciformer.training"):
        run_fn(fn_args(examples, tmp_path))
    assert "going on after update" in caplog.text
    assert measured(tmp_path) == measured(pretrained)
    expected = tensors(pretrained)
    assert tensors(tmp_path).keys() == expected.keys()
    for name, tensor in tensors(tmp_path).items():
        np.testing.assert_array_equal(tensor, expected[name], err_msg=name)
    assert not list(tmp_path.glob("checkpoints/*"))


def test_what_is_written_says_how_it_was_made(pretrained):
    serving = pretrained / "model" / "Format-Serving"
    provenance = json.loads((serving / PROVENANCE_FILE).read_text())
    assert provenance["settings"]["training"]["epochs"] == 2
    assert set(provenance) == {"settings", "examples", "training"}
    assert (serving / "vocab.txt").read_text().splitlines() == VOCABULARY


def test_pretraining_goes_on_from_given_weights(examples, pretrained, tmp_path):
    """With a rate that moves nothing, the weights that come out are those that went in."""
    given = pretrained / "model" / "Format-Serving"
    run_fn(fn_args(examples, tmp_path, weights=given, epochs=1, optimizer=STILL))
    expected = tensors(pretrained)
    assert tensors(tmp_path).keys() == expected.keys()
    for name, tensor in tensors(tmp_path).items():
        np.testing.assert_array_equal(tensor, expected[name], err_msg=name)


def test_heads_that_the_weights_lack_are_new_and_said(examples, pretrained, tmp_path, caplog):
    """Sentence encoders as MiniLM have none."""
    given = tmp_path / "given"
    given.mkdir()
    for path in (pretrained / "model" / "Format-Serving").glob("*.*"):
        (given / path.name).write_bytes(path.read_bytes())
    encoder = {k: v for k, v in tensors(pretrained).items() if k.startswith("bert.")}
    safetensors.numpy.save_file(encoder, given / "model.safetensors", {"format": "pt"})
    with caplog.at_level(logging.INFO, "sciformer.trainer"):
        run_fn(fn_args(examples, tmp_path, weights=given, epochs=1, optimizer=STILL))
    assert f"new, not in {given}: " in caplog.text
    assert "masked_lm_head/dense/kernel" in caplog.text
    made = tensors(tmp_path)
    assert made.keys() == tensors(pretrained).keys()
    for name in encoder.keys() - {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}:
        np.testing.assert_array_equal(made[name], encoder[name], err_msg=name)
