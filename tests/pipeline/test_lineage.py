"""What a run's summary is told as."""

import json

import pytest

from pipeline.lineage import LineageError, lineage_text

RUN = "20260101T000000.000Z"
SUMMARY = {
    "pipeline": "tiny",
    "run_id": RUN,
    "status": "succeeded",
    "components": {
        "Trainer": {"state": "ran", "seconds": 3.0},
        "Gen": {"state": "cached", "seconds": 0.1},
    },
    "pushed": {"version": "17", "path": "/runs/tiny/serving/tiny/17"},
    "hashes": {"config": "c0ffee" * 8, "data": "num_files:1", "vocabulary": "v1", "weights": "w1"},
    "inputs": {
        "data": "/data",
        "schema": "/runs/tiny/schema/5ca1ab1e/schema.pbtxt",
        "vocabulary": "/hf/vocab.txt",
        "vocabulary_hash": "v1",
        "weights": "/hf",
        "weights_hash": "w1",
    },
    "artifacts": {"Gen.examples": ["/a/examples/1"], "Trainer.model": ["/a/model/2"]},
    "environment": {"python": "3.10.13", "tfx": "1.16.0"},
}


@pytest.fixture
def write(tmp_path):
    """Writes a run's summary below tmp_path/runs; returns its folder."""

    def write_run(run_id=RUN, **changes):
        folder = tmp_path / "runs" / "tiny" / run_id
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text(json.dumps(SUMMARY | {"run_id": run_id} | changes))
        return folder

    return write_run


def test_tells_what_made_the_model(write, tmp_path):
    folder = write()
    assert lineage_text(RUN, tmp_path / "runs").splitlines() == [
        f"run         {RUN} of tiny: succeeded",
        f"config      c0ffeec0ffeec0ff  {folder / 'config.json'}",
        "data        num_files:1  /data",
        "schema      5ca1ab1e  /runs/tiny/schema/5ca1ab1e/schema.pbtxt",
        "vocabulary  v1  /hf/vocab.txt",
        "weights     w1  /hf",
        "pushed      version 17  /runs/tiny/serving/tiny/17",
        "artifacts",
        f"  {'Gen.examples':<32} cached  /a/examples/1",
        f"  {'Trainer.model':<32} ran     /a/model/2",
        "environment python 3.10.13, tfx 1.16.0",
    ]


def test_tells_what_the_tuner_chose(write, tmp_path):
    values = {"optimizer.learning_rate": 3e-05, "batch_size": 16}
    write(tuning={"trials": 8, "eval_loss": 0.25, "values": values})
    text = lineage_text(RUN, tmp_path / "runs")
    assert "tuned       optimizer.learning_rate=3e-05, batch_size=16  (best of 8 trials)\n" in text


def test_random_weights_and_nothing_pushed(write, tmp_path):
    inputs = SUMMARY["inputs"] | {"weights": None, "weights_hash": None}
    write(status="not_blessed", pushed=None, inputs=inputs)
    text = lineage_text(RUN, tmp_path / "runs")
    assert "weights     random, from training.seed\n" in text
    assert "pushed      nothing\n" in text
    assert "not_blessed" in text


@pytest.mark.parametrize("part", ["", "summary.json"])
def test_a_run_is_found_by_its_path_too(write, tmp_path, part):
    folder = write()
    assert lineage_text(str(folder / part), tmp_path / "no runs") == lineage_text(
        RUN, tmp_path / "runs"
    )


def test_an_unknown_run_gives_the_latest_ones(write, tmp_path):
    for number in range(7):
        write(f"run{number}")
    with pytest.raises(
        LineageError, match=r"no run 'run9' under .*; the latest are run2, .* run6$"
    ):
        lineage_text("run9", tmp_path / "runs")


def test_no_run_at_all(tmp_path):
    with pytest.raises(LineageError, match="there is none"):
        lineage_text(RUN, tmp_path / "runs")
