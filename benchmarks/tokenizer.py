"""Tokenizing all titles and abstracts of the PubMed sample: ours, Hugging Face's, tf-text's two.

`python -m benchmarks.tokenizer --rounds 5 --json FILE`

All take Python strings and give ids, uncut, on both cores: ours and tf-text's in a parallel tf.data map over
batches, Hugging Face's in a process of its own with a thread a core, by the call that Transformers makes
(`encode_batch`) and by the faster one without offsets (`encode_batch_fast`). Timed is everything
from the list of strings to the ids; loading and tracing come before. The ids are compared, too; a literal
"[SEP]" is text for all.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from rich.console import Console
from rich.table import Table

from benchmarks.alternating import alternate, compare, spread
from components.example_gen.records import Record
from components.medline_example_gen.config import MedlineConfig
from components.medline_example_gen.executor import MedlineReader
from models.tokenizer import BertTokenizer, read_vocabulary
from pipeline.datasets.fetch import fetch

OURS, PEER, FAST_PEER = "ours", "Hugging Face", "Hugging Face without offsets"
TF_TEXT, TF_TEXT_FAST = "tf-text BertTokenizer", "tf-text FastBertTokenizer"
_BATCH = 512
Ids = tuple[np.ndarray, np.ndarray]  # of all texts one after the other, and each text's number


def read_texts(limit: int | None) -> list[str]:
    """Titles and abstracts of the PubMed sample, empty ones left out."""
    reader, texts = MedlineReader(MedlineConfig(require_abstract=False)), []
    for path in sorted(fetch("pubmed_sample").glob("*.xml.gz")):
        for outcome in reader.read(str(path)):
            if isinstance(outcome, Record):
                texts += [str(outcome.features[name][0]) for name in ("title", "abstract")]
    return [text for text in texts if text][:limit]


def run_graph(tokenize: Callable[[tf.Tensor], tf.RaggedTensor], texts: list[str]) -> Ids:
    """The ids by a parallel map over batches."""
    batches = tf.data.Dataset.from_tensor_slices(tf.constant(texts)).batch(_BATCH)
    rows = list(batches.map(tokenize, num_parallel_calls=os.cpu_count()))
    return (
        np.concatenate([row.flat_values.numpy() for row in rows]),
        np.concatenate([row.row_lengths().numpy() for row in rows]),
    )


def count_differences(ours: Ids, theirs: Ids) -> int:
    """Texts whose ids are not the same."""
    rows, peer_rows = (np.split(ids, np.cumsum(lengths)[:-1]) for ids, lengths in (ours, theirs))
    return sum(not np.array_equal(a, b) for a, b in zip(rows, peer_rows, strict=True))


def main() -> None:
    """Prints a table, and the figures as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-python", type=Path, default=Path(".venv-huggingface/bin/python"))
    parser.add_argument("--limit", type=int, help="the first N texts only: to try it out")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    if not arguments.peer_python.is_file():
        sys.exit(
            f"{arguments.peer_python}: no such file; see benchmarks/huggingface/requirements.txt"
        )
    weights, texts = fetch("minilm_l6"), read_texts(arguments.limit)
    vocabulary = weights / "vocab.txt"
    with tempfile.TemporaryDirectory() as folder:
        file, peer_ids = Path(folder) / "texts.json", Path(folder) / "ids.npz"
        file.write_text(json.dumps(texts), encoding="utf-8")
        command = [str(arguments.peer_python), "-m", "benchmarks.huggingface.tokenizer"]
        command += ["--texts", str(file), "--weights", str(weights), "--ids", str(peer_ids)]

        last: dict[str, Ids] = {}

        def peer(name: str, *options: str) -> Callable[[int], float]:
            def run(_: int) -> float:
                done = subprocess.run(
                    [*command, *options], capture_output=True, text=True, check=False
                )
                if done.returncode:
                    sys.exit(f"{' '.join([*command, *options])}:\n{done.stderr}")
                with np.load(peer_ids) as saved:
                    last[name] = saved["ids"], saved["lengths"]
                return json.loads(done.stdout)["seconds"]

            return run

        graphs = {
            OURS: BertTokenizer(read_vocabulary(vocabulary), max_length=10**6),
            TF_TEXT: bert_tokenizer(vocabulary),
            TF_TEXT_FAST: fast_bert_tokenizer(vocabulary),
        }

        def timed(name: str) -> Callable[[int], float]:
            # Traced before the clock starts, as the peer's tokenizer is loaded before it.
            signature = [tf.TensorSpec([None], tf.string)]
            traced = tf.function(graphs[name], input_signature=signature, autograph=False)
            run_graph(traced, texts[:_BATCH])

            def run(_: int) -> float:
                began = time.perf_counter()
                last[name] = run_graph(traced, texts)
                return time.perf_counter() - began

            return run

        contenders = {
            OURS: timed(OURS),
            PEER: peer(PEER, "--offsets"),
            FAST_PEER: peer(FAST_PEER),
            TF_TEXT: timed(TF_TEXT),
            TF_TEXT_FAST: timed(TF_TEXT_FAST),
        }
        seconds = alternate(contenders, arguments.rounds)
    rows = report(seconds, last, texts)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def bert_tokenizer(vocabulary: Path) -> Callable[[tf.Tensor], tf.RaggedTensor]:
    """tf-text's BertTokenizer, whose ids differ from BERT's in places."""
    tokenizer = tf_text.BertTokenizer(str(vocabulary), token_out_type=tf.int32, lower_case=True)
    return _framed(vocabulary, lambda texts: tokenizer.tokenize(texts).merge_dims(1, 2))


def fast_bert_tokenizer(vocabulary: Path) -> Callable[[tf.Tensor], tf.RaggedTensor]:
    """What ours is made of, but with tf-text's own normalization: some ids differ from BERT's."""
    tokenizer = tf_text.FastBertTokenizer(
        read_vocabulary(vocabulary), token_out_type=tf.int32, lower_case_nfd_strip_accents=True
    )
    return _framed(vocabulary, tokenizer.tokenize)


def _framed(
    vocabulary: Path, pieces: Callable[[tf.Tensor], tf.RaggedTensor]
) -> Callable[[tf.Tensor], tf.RaggedTensor]:
    tokens = read_vocabulary(vocabulary)
    start, end = (tf.constant([tokens.index(token)], tf.int32) for token in ("[CLS]", "[SEP]"))

    def tokenize(texts: tf.Tensor) -> tf.RaggedTensor:
        rows = tf.shape(texts)[0]
        first, last = (tf.repeat(token[None], rows, 0) for token in (start, end))
        return tf.concat([first, pieces(texts), last], axis=1)

    return tokenize


def report(seconds: dict[str, list[float]], ids: dict[str, Ids], texts: list[str]) -> list[dict]:
    """Prints the table; gives the rows of the JSON, one for each of the others."""
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    table = Table("", "seconds", "MB/s", "texts with other ids than HF", "ours is faster ×")
    rows = []
    for name, times in seconds.items():
        row = compare("tokenizer", f"{len(texts)} texts, {name}", seconds[OURS], times, "s")
        differences = count_differences(ids[name], ids[PEER])
        rows.append(row | {"megabytes": megabytes, "differences_from_huggingface": differences})
        table.add_row(
            name,
            spread(times, 2),
            f"{megabytes / statistics.median(times):.1f}",
            f"{differences:,} of {len(texts):,}",
            f"{row['ratio']:.1f} ({row['ratio_min']:.1f} – {row['ratio_max']:.1f})",
        )
    Console().print(table)
    return [row for row in rows if not row["work"].endswith(OURS)]


if __name__ == "__main__":
    main()
