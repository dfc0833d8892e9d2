"""Runs Google's create_pretraining_data once and prints one line of JSON with the seconds it took.

`python benchmarks/pretrain_examples/peer.py --peer FOLDER --text FILE --vocabulary FILE`

The package (bert-tensorflow 1.0.4, of 2020) runs unchanged on TensorFlow 2's v1 module.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import random
import sys
import tempfile
import time

from absl import flags


def main() -> None:
    """Times tokenizing, pairing, masking and writing; not the imports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--short-fraction", type=float, default=0.1)
    arguments = parser.parse_args()
    sys.path.insert(0, arguments.peer)
    from bert import create_pretraining_data as create
    from bert import tokenization

    flags.FLAGS([__file__])  # the tokenizer reads one; the defaults hold
    start = time.perf_counter()
    tokenizer = tokenization.FullTokenizer(arguments.vocabulary, do_lower_case=True)
    draw = random.Random(12345)
    predictions = round(0.15 * arguments.max_length)
    instances = create.create_training_instances(
        [arguments.text],
        tokenizer,
        arguments.max_length,
        1,  # dupe_factor: each document once, as ours
        arguments.short_fraction,
        0.15,
        predictions,
        draw,
    )
    with tempfile.TemporaryDirectory() as scratch:
        create.write_instance_to_example_files(
            instances, tokenizer, arguments.max_length, predictions, [f"{scratch}/examples"]
        )
    print(json.dumps({"seconds": time.perf_counter() - start, "instances": len(instances)}))


if __name__ == "__main__":
    main()
