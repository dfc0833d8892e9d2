"""Where the time of a train step goes, and what share of the cores' plain matrix product it reaches.

`python -m benchmarks.step_profile --rounds 5 --json FILE`

MiniLM-L6, 32 texts of one length, whole steps of `models.training.fit`. Operations of the model (6 for a
weight and token, and attention's) by the step's time, beside what a plain product of two 2048 x 2048
matrices reaches in TensorFlow and in PyTorch, each in a process of its own, taking turns.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.alternating import alternate, compare, spread
from pipeline.datasets.fetch import fetch

_SIZE = 2048
_PRECISIONS = ("float32", "mixed_bfloat16")
_TF, _TORCH = "TensorFlow's product", "PyTorch's product"


def main() -> None:
    """Measures and prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-python", type=Path, default=Path(".venv-huggingface/bin/python"))
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    peer = arguments.peer_python.absolute()
    if not peer.is_file():
        sys.exit(f"{peer}: no such file; see benchmarks/huggingface/requirements.txt")
    weights = str(fetch("minilm_l6"))

    def run(python: Path | str, module: str, *options: str) -> dict[str, Any]:
        command = [str(python), "-m", f"benchmarks.{module}", *options]
        process = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(process.stdout.splitlines()[-1])

    def ours(length: int, precision: str) -> dict[str, Any]:
        options = ("--length", str(length), "--precision", precision)
        return run(sys.executable, "step_profile.ours", "--weights", weights, *options)

    steps = {
        f"32 x {length}, {precision}": (length, precision)
        for length in arguments.lengths
        for precision in _PRECISIONS
    }
    contenders = {name: lambda _, step=step: ours(*step) for name, step in steps.items()}
    size = ("--size", str(_SIZE))
    contenders[_TF] = lambda _: run(sys.executable, "step_profile.matmul", *size)
    contenders[_TORCH] = lambda _: run(peer, "huggingface.matmul", *size)
    rows = _report(alternate(contenders, arguments.rounds), list(steps))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _report(results: dict[str, list[dict[str, Any]]], steps: list[str]) -> list[dict[str, Any]]:
    """Prints; gives the rows for the JSON, in seconds a TFLOP, whose peer is the best float32 product."""
    products = {
        f"{name}, {dtype}": [result[dtype] for result in results[name]]
        for name in (_TF, _TORCH)
        for dtype in ("float32", "bfloat16")
    }
    best = max(
        (name for name in products if name.endswith("float32")),
        key=lambda name: statistics.median(products[name]),
    )
    speed = Table("", "ms a step", "GFLOP/s", f"share of {best}")
    parts = Table("ms of operations a step", *steps)
    rows = []
    for name, rates in products.items():
        speed.add_row(name, "", spread(rates, 0), "")
    for name in steps:
        rates = [result["gflops"] for result in results[name]]
        costs = [[1000 / rate for rate in values] for values in (rates, products[best])]
        rows.append(compare("step_profile", f"{name}, beside {best}", *costs, "s/TFLOP"))
        milliseconds = spread([result["milliseconds"] for result in results[name]], 0)
        row = rows[-1]
        share = f"{row['ratio']:.0%} ({row['ratio_min']:.0%} – {row['ratio_max']:.0%})"
        speed.add_row(name, milliseconds, spread(rates, 0), share)
    medians = {
        name: {
            kind: statistics.median(result["parts"].get(kind, 0.0) for result in results[name])
            for kind in results[name][0]["parts"]
        }
        for name in steps
    }
    for kind in sorted(medians[steps[0]], key=medians[steps[0]].__getitem__, reverse=True):
        parts.add_row(kind, *(f"{medians[name].get(kind, 0.0):.1f}" for name in steps))
    console = Console()
    console.print(speed)
    console.print(parts)
    return rows


if __name__ == "__main__":
    main()
