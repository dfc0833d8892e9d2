import json
import sys

import pytest

from benchmarks.finetune_throughput.contenders import Contender, Result, whole_batches


def _result(seconds, positions):
    steps = [
        {"seconds": s, "tokens": p // 2, "positions": p}
        for s, p in zip(seconds, positions, strict=True)
    ]
    return Result(sum(seconds), 32 * len(steps), steps, accuracy=0.5, peak_mb=1.0)


def test_a_probe_pays_for_compiling_once_and_for_positions_each_time():
    # 0.01 s a position, and 60 s of compiling in the first update
    probe = _result([61.0, 1.0, 2.0, 1.0, 2.0], [100, 100, 200, 100, 200])
    assert (probe.updates, probe.tokens, probe.positions) == (5, 350, 700)
    assert probe.projected(probe.examples) == pytest.approx(67)
    assert probe.projected(10 * probe.examples) == pytest.approx(60 + 70)


def test_too_few_updates_are_not_projected():
    with pytest.raises(ValueError, match="3 updates are too few"):
        _result([1.0, 1.0, 1.0], [100, 100, 100]).projected(1000)


def _program(tmp_path, text):
    path = tmp_path / "program.py"
    path.write_text(text)
    return Contender("a program", (sys.executable, str(path)))


def test_a_contender_is_told_of_data_weights_seed_and_limit_and_its_last_line_is_read(tmp_path):
    program = (
        "import json, sys\n"
        "print('noise')\n"
        "print(json.dumps({'seconds': 2.0, 'examples': 3, 'steps': [], 'accuracy': 1.0,"
        " 'peak_mb': len(sys.argv)}))\n"
        f"open({str(tmp_path / 'argv')!r}, 'w').write(json.dumps(sys.argv[1:]))\n"
    )
    result = _program(tmp_path, program).run(tmp_path / "d", tmp_path / "w", seed=4, limit=64)
    assert (result.seconds, result.examples, result.updates) == (2.0, 3, 0)
    arguments = json.loads((tmp_path / "argv").read_text())
    assert arguments == [
        *("--data", f"{tmp_path}/d", "--weights", f"{tmp_path}/w", "--seed", "4", "--limit", "64")
    ]


def test_a_failed_contender_is_named_with_what_it_said(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)a program ended with exit code 1.*no such thing"):
        _program(tmp_path, "raise SystemExit('no such thing')").run(tmp_path, tmp_path, seed=0)


def test_a_share_of_an_epoch_is_cut_between_batches():
    assert whole_batches(1929, 1.0) == 1929
    assert whole_batches(1929, 0.25) == 15 * 32  # of 61 batches
    assert whole_batches(1929, 0.001) == 32
    assert whole_batches(20, 0.5) == 20
