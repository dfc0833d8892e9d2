"""Multiplies square matrices with TensorFlow and prints the GFLOP/s of each dtype as one line of JSON.

`python -m benchmarks.step_profile.matmul --size 2048`
"""

import argparse
import json
import statistics
import time

import tensorflow as tf

_REPEATS = 12


def main() -> None:
    """Median of `_REPEATS` products after one that is not counted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, required=True)
    size = parser.parse_args().size
    rates = {}
    for dtype in (tf.float32, tf.bfloat16):
        matrix = tf.cast(tf.random.uniform([size, size]), dtype)
        seconds = []
        for _ in range(1 + _REPEATS):
            began = time.perf_counter()
            tf.matmul(matrix, matrix)
            seconds.append(time.perf_counter() - began)
        rates[dtype.name] = 2 * size**3 / statistics.median(seconds[1:]) / 1e9
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
