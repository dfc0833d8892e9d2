"""Multiplies square matrices with PyTorch and prints the GFLOP/s of each dtype as one line of JSON.

`.venv-huggingface/bin/python -m benchmarks.huggingface.matmul --size 2048`
"""

import argparse
import json
import os
import statistics
import time

import torch

_REPEATS = 12


def main() -> None:
    """Median of `_REPEATS` products after one that is not counted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, required=True)
    size = parser.parse_args().size
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rates = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        matrix = torch.rand((size, size)).to(dtype)
        seconds = []
        for _ in range(1 + _REPEATS):
            began = time.perf_counter()
            matrix @ matrix
            seconds.append(time.perf_counter() - began)
        rates[name] = 2 * size**3 / statistics.median(seconds[1:]) / 1e9
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
