"""What TensorBoard, Weights & Biases and a watching person are told."""

import http.server
import json
import logging
import os
import subprocess
import sys
import threading
import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto.wandb_internal_pb2 import Record
from wandb.sdk.internal.datastore import DataStore

from models.backbone import build_backbone
from models.config import BackboneConfig
from models.history import Epoch, History, Step
from models.telemetry.flops import device_name, flops_per_token, peak_flops
from models.telemetry.points import Points, epoch_scalars
from models.telemetry.progress import Progress, duration
from models.telemetry.tensorboard import TensorBoard
from models.telemetry.weights_and_biases import WeightsAndBiases

STEPS_PER_EPOCH = 4


def update(number, seconds=0.6, loss=None, **more) -> Step:
    return Step(
        step=number,
        **{
            "loss": 1 / number if loss is None else loss,
            "learning_rate": number / 1000,
            "gradient_norm": 2.0 * number,
            "tokens": 30,
            "positions": 40,
            "seconds": seconds,
        }
        | more,
    )


def epoch(number, loss=0.5) -> Epoch:
    train, evaluation = {"loss": loss, "accuracy": 0.75}, {"loss": loss + 0.1, "accuracy": 0.5}
    return Epoch(number, seconds=2.5, train_seconds=2.0, train=train, eval=evaluation)


def points(peak=None) -> Points:
    return Points(flops_per_token=1000.0, peak_flops=peak)


def curves(folder) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard would draw, by tag."""
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, pytest.approx(event.value)) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def train(listener, first=1, last=2 * STEPS_PER_EPOCH, seconds=0.6) -> None:
    for number in range(first, last + 1):
        listener.on_step(update(number, seconds))
        if number % STEPS_PER_EPOCH == 0:
            listener.on_epoch(epoch(number // STEPS_PER_EPOCH))


# --- Points ----------------------------------------------------------------------------------------


def test_a_point_holds_the_means_of_its_updates():
    gather = points(peak=60_000)
    assert gather.add(update(1, seconds=0.3, loss=4.0)) is None
    assert gather.add(update(2, seconds=0.3, loss=1.0)) == pytest.approx(
        {
            "train/loss": 2.5,
            "train/gradient_norm": 3.0,
            "train/learning_rate": 0.002,
            "train/skipped_updates": 0.0,
            "throughput/padding_share": 0.25,
            "throughput/tokens_per_second": 100.0,
            "throughput/mfu": 100 * 1000 / 60_000,
        }
    )
    assert gather.rest() is None


def test_a_skipped_update_is_counted_and_its_norm_left_out():
    gather = points()
    assert gather.add(update(1, seconds=0.1)) is None
    point = gather.add(update(2, gradient_norm=float("inf"), skipped=True))
    assert (point["train/skipped_updates"], point["train/gradient_norm"]) == (1, 2)
    point = gather.add(update(3, gradient_norm=float("nan"), skipped=True))
    assert point["train/skipped_updates"] == 1
    assert "train/gradient_norm" not in point


def test_no_mfu_where_the_peak_is_unknown_and_no_rate_without_time():
    assert "throughput/mfu" not in points().add(update(1))
    gather = points(peak=1.0)
    assert gather.add(update(1, seconds=0.0)) is None
    assert not [tag for tag in gather.rest() if "second" in tag or "mfu" in tag]


# --- TensorBoard -----------------------------------------------------------------------------------


def test_tensorboard_shows_updates_and_epochs_on_one_axis(tmp_path):
    board = TensorBoard(tmp_path, points(peak=100_000), STEPS_PER_EPOCH)
    train(board)
    board.close()
    found = curves(tmp_path)
    assert found["train/loss"] == [(n, 1 / n) for n in range(1, 9)]
    assert found["throughput/mfu"] == [(n, 0.5) for n in range(1, 9)]
    assert found["eval/loss"] == [(4, 0.6), (8, 0.6)]
    assert found["train_epoch/accuracy"] == [(4, 0.75), (8, 0.75)]
    assert set(found) == {
        *("train/loss", "train/learning_rate", "train/gradient_norm", "train/skipped_updates"),
        *("throughput/tokens_per_second", "throughput/padding_share", "throughput/mfu"),
        *("train_epoch/loss", "train_epoch/accuracy", "eval/loss", "eval/accuracy"),
    }


def test_fast_updates_share_points_and_none_is_lost(tmp_path):
    board = TensorBoard(tmp_path, points(), STEPS_PER_EPOCH)
    train(board, last=6, seconds=0.2)
    board.close()
    found = curves(tmp_path)["train/loss"]
    # Updates 1 to 3, the rest of the epoch, and what was there at the end.
    assert found == [(3, (1 + 1 / 2 + 1 / 3) / 3), (4, 1 / 4), (6, (1 / 5 + 1 / 6) / 2)]


@pytest.mark.parametrize("folder", ["same", "other"])
def test_after_a_kill_the_curve_is_whole_and_shows_once(tmp_path, folder):
    killed = TensorBoard(tmp_path / "same", points(), STEPS_PER_EPOCH)
    train(killed, last=6)
    killed.on_step(update(7, loss=9.0))
    killed.close()  # only to have its thread write; a kill might leave as much
    time.sleep(1)  # TensorBoard reads the files of one second in the order of their names
    resumed = TensorBoard(tmp_path / folder, points(), STEPS_PER_EPOCH)
    resumed.on_restore(History([epoch(1)], [update(number) for number in range(1, 6)]))
    train(resumed, first=6)
    resumed.close()
    found = curves(tmp_path / folder)
    assert found["train/loss"] == [(n, 1 / n) for n in range(1, 9)]
    assert found["eval/loss"] == [(4, 0.6), (8, 0.6)]


def test_an_epoch_evaluated_again_shows_once(tmp_path):
    """A checkpoint may lie between an epoch's last update and its evaluation."""
    for is_restored in (False, True):
        board = TensorBoard(tmp_path, points(), STEPS_PER_EPOCH)
        if is_restored:
            board.on_restore(History([], [update(number) for number in range(1, 5)]))
        else:
            train(board, last=3)
            board.on_step(update(4))
        board.on_epoch(epoch(1))
        board.close()
    assert curves(tmp_path)["eval/loss"] == [(4, 0.6)]


# --- Weights & Biases ------------------------------------------------------------------------------

# In a process of its own: wandb keeps state, and reads the environment when it is imported.
LOGGED = """
import json, logging, sys
from models.history import Epoch, History, Step
from models.telemetry.points import Points
from models.telemetry.weights_and_biases import WeightsAndBiases

logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
folders, id_file = json.loads(sys.argv[1]), sys.argv[2]
steps = [Step(n, 0.5, 1e-3, 1.0, tokens=30, positions=40, seconds=0.6) for n in range(1, 9)]
epochs = [Epoch(n, 2.5, 2.0, train={"loss": 0.5}, eval={"accuracy": 0.75}) for n in (1, 2)]
for attempt, folder in enumerate(folders):
    run = WeightsAndBiases("p", folder, {"epochs": 2}, Points(1.0, None), 4, id_file)
    if attempt == 0:
        History(epochs, steps).replay(run, 4)
    else:
        run.on_restore(History(epochs[:1], steps[:6]))
        History(epochs[1:], steps[6:]).replay(run, 4)
    run.close()
"""


def log_run(*folders, **environment) -> str:
    """Trains, and resumes in each further folder; returns what was written to standard error."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    home = folders[0].parent
    done = subprocess.run(
        [sys.executable, "-c", LOGGED, json.dumps(list(map(str, folders))), str(home / "id")],
        env=kept | {"HOME": str(home)} | environment,  # no login of the developer's
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return done.stderr


def recorded(folder) -> dict[str, list[tuple[int, float]]]:
    """The curves of an offline run, by tag."""
    [path] = folder.glob("wandb/offline-run-*/*.wandb")
    store = DataStore()
    store.open_for_scan(str(path))
    found = {}
    while data := store.scan_data():
        history = Record.FromString(data).history
        for item in history.item:
            tag = item.key or item.nested_key[0]
            found.setdefault(tag, []).append((history.step.num, json.loads(item.value_json)))
    return found


def test_without_a_login_runs_are_recorded_for_later_and_a_resumed_one_is_whole(tmp_path):
    folders = [tmp_path / "first", tmp_path / "resumed"]
    messages = [line for line in log_run(*folders).splitlines() if "sciformer" in line]
    run_id = (tmp_path / "id").read_text()
    for folder, message in zip(folders, messages, strict=True):
        [run] = folder.glob("wandb/offline-run-*")
        assert message == (
            "sciformer.training INFO Weights & Biases is offline (nobody is logged in here); "
            f"upload later with: wandb sync {run}"
        )
        assert (run / f"run-{run_id}.wandb").exists()
        found = recorded(folder)
        assert found["train/loss"] == [(n, 0.5) for n in range(1, 9)]
        assert found["eval/accuracy"] == [(4, 0.75), (8, 0.75)]
        assert set(found) > {"throughput/tokens_per_second", "train_epoch/loss"}


def test_a_login_that_is_refused_does_not_stop_a_run(tmp_path):
    class Refuses(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_HEAD = do_POST

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        errors = log_run(tmp_path / "run", WANDB_BASE_URL=url, WANDB_API_KEY="a" * 40)
        server.shutdown()
    assert "Weights & Biases is offline (" in errors
    assert "401" in errors
    assert recorded(tmp_path / "run")["eval/accuracy"] == [(4, 0.75), (8, 0.75)]


def test_a_failure_of_wandb_is_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    id_file = tmp_path / "file" / "id"
    run = WeightsAndBiases("p", tmp_path, {}, points(), STEPS_PER_EPOCH, id_file)
    train(run)
    run.close()
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("training goes on without Weights & Biases: ")


# --- Progress --------------------------------------------------------------------------------------


def test_progress_says_where_it_is_how_fast_and_how_long(caplog):
    progress = Progress(total_steps=330, epochs=3)
    with caplog.at_level(logging.DEBUG, "sciformer.training"):
        progress.on_step(update(100, seconds=4.0))  # slower: it builds the graph
        progress.on_step(update(101, seconds=2.0))
        progress.on_step(update(110, seconds=3.0, loss=0.418))
        progress.on_step(update(111, seconds=1.0))
        progress.on_step(update(112, seconds=2.0, loss=0.25))
    assert [record.getMessage() for record in caplog.records] == [
        "epoch 1/3, step 101/330, loss 0.01, 10 tokens/s, 7 min 38 s left",
        "epoch 2/3, step 112/330, loss 0.25, 15 tokens/s, 7 min 16 s left",
    ]
    assert {record.levelname for record in caplog.records} == {"DEBUG"}
    assert (caplog.records[0].completed, caplog.records[0].total) == (101, 330)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (130, "2 min 10 s"),
        (3599.7, "1 h 00 min"),
        (3 * 3600 + 299, "3 h 05 min"),
    ],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


# --- FLOPs -----------------------------------------------------------------------------------------


def test_flops_follow_the_weights_and_the_length():
    config = BackboneConfig(
        vocabulary_size=14, num_layers=2, num_heads=2, hidden_dim=8, intermediate_dim=16
    )
    weights = {v.path: v.shape.num_elements() for v in build_backbone(config).weights}
    others = sum(count for path, count in weights.items() if "_embedding/" not in path)
    assert 0 < others < sum(weights.values())
    assert flops_per_token(config, 0) == 6 * others
    assert flops_per_token(config, 10) - flops_per_token(config, 0) == 12 * 2 * 8 * 10


def test_flops_of_bert_base():
    """85 million weights beside the embeddings; at 512 tokens attention adds a tenth."""
    bert = BackboneConfig(num_layers=12, num_heads=12, hidden_dim=768, intermediate_dim=3072)
    assert flops_per_token(bert, 0) == pytest.approx(6 * 85.06e6, rel=1e-3)
    assert flops_per_token(bert, 512) / flops_per_token(bert, 0) == pytest.approx(1.111, abs=1e-3)


@pytest.mark.parametrize(
    ("device", "precision", "tera"),
    [
        ("NVIDIA A100-SXM4-40GB", "mixed_bfloat16", 312),
        ("NVIDIA A100 80GB PCIe", "float32", 156),
        ("NVIDIA H100 80GB HBM3", "mixed_bfloat16", 989),
        ("NVIDIA H100 PCIe", "mixed_bfloat16", 756),
        ("NVIDIA H200", "mixed_float16", 989),
        ("NVIDIA L4", "mixed_bfloat16", 121),
        ("Tesla T4", "mixed_float16", 65),
        ("Tesla V100-SXM2-16GB", "mixed_float16", 125),
        ("Tesla V100-PCIE-32GB", "float32", 14),
        ("TPU v5e", "mixed_bfloat16", 197),
        ("Tesla T4", "mixed_bfloat16", None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "float32", None),
        ("NVIDIA GeForce GTX 1080", "float32", None),
        ("CPU", "float32", None),
    ],
)
def test_published_peaks(device, precision, tera):
    assert peak_flops(device, precision) == (tera and tera * 1e12)


def test_the_first_device_names_itself(monkeypatch):
    assert device_name() == "CPU"
    for kind, name in {"v3-8": "TPU v3", "v5litepod-4": "TPU v5e", "v5p-8": "TPU v5p"}.items():
        monkeypatch.setenv("TPU_ACCELERATOR_TYPE", kind)
        assert device_name() == name


def test_epochs_by_tag():
    assert set(epoch_scalars(epoch(1))) == {
        *("train_epoch/loss", "train_epoch/accuracy", "eval/loss", "eval/accuracy"),
    }
