"""`predict-batch` against the same SavedModel called in a plain loop: real abstracts, MiniLM, one process.

`python -m benchmarks.batch_inference --rounds 5 --json FILE`

Ours is the whole way from a JSON Lines file to the renamed folder with the answers: reading, TFX,
BulkInferrer, writing. The loop has the texts in memory, has loaded the model and traced the signature, and
keeps the answers in memory. Rows, batch size and cores are the same, and no cache is used. The head is
untrained: the work does not depend on it. What ours pays once (graph, metadata store, loading the model) is
told apart by asking it about one row, and counts in the ratio.
"""

import argparse
import functools
import itertools
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks.alternating import alternate, compare, spread
from components.example_gen.records import Record
from components.medline_example_gen.config import MedlineConfig
from components.medline_example_gen.executor import MedlineReader
from models.classifier import TextClassifier
from models.config import ClassifierConfig
from models.export import export_classifier
from models.hf_weights import load_backbone
from models.tokenizer import read_vocabulary
from pipeline.batch_input import find_batch_input
from pipeline.batch_model import find_batch_model
from pipeline.configs import PipelineConfig
from pipeline.datasets.fetch import cache_folder, fetch
from pipeline.logs import quiet
from pipeline.predict_batch import predict_batch
from pipeline.progress import Progress
from pipeline.run import new_run_id

OURS, LOOP = "predict-batch", "plain loop"
CLASSES, MAX_LENGTH = 9, 256


def read_abstracts(limit: int) -> list[Record]:
    """The first abstracts of the PubMed sample, with their titles."""
    reader = MedlineReader(MedlineConfig())
    paths = sorted(fetch("pubmed_sample").glob("*.xml.gz"))
    outcomes = itertools.chain.from_iterable(reader.read(str(path)) for path in paths)
    return list(itertools.islice((o for o in outcomes if isinstance(o, Record)), limit))


def export_minilm(folder: Path) -> Path:
    """A classifier with MiniLM's encoder."""
    weights = fetch("minilm_l6")
    backbone, config = load_backbone(str(weights))
    settings = ClassifierConfig(
        backbone=config,
        classes=tuple(f"class {number}" for number in range(CLASSES)),
        max_length=MAX_LENGTH,
    )
    classifier = TextClassifier(settings, read_vocabulary(weights / "vocab.txt"), backbone)
    export_classifier(classifier, str(folder))
    return folder


def run_ours(model: Path, rows: Path, batch_size: int, progress: Progress, _: int) -> float:
    """Seconds from the file to the folder, in a place without a cache."""
    with tempfile.TemporaryDirectory() as root:
        config = PipelineConfig.model_validate(
            {
                "name": "batch_inference",
                "root": root,
                "data": {"path": root, "text": {"key_column": "key", "label_column": "label"}},
                "model": {"weights": "minilm_l6"},
                "gate": {"min_accuracy": 0.5},
            }
        )
        began = time.perf_counter()
        predict_batch(
            config,
            find_batch_input(config.data, str(rows)),
            find_batch_model(config, str(model)),
            Path(root) / "answers",
            progress,
            new_run_id(),
            batch_size=batch_size,
        )
        return time.perf_counter() - began


def run_loop(
    signature: tf.types.experimental.Callable, texts: Sequence[str], size: int, _: int
) -> float:
    """Seconds in a plain loop."""
    began = time.perf_counter()
    answers = []
    for start in range(0, len(texts), size):
        outputs = signature(text=tf.constant(texts[start : start + size]))
        answers.append({name: tensor.numpy() for name, tensor in outputs.items()})
    return time.perf_counter() - began


def main() -> None:
    """Prints a table, and the figures as JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--batch-sizes", default="16,64,256")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.batch_sizes.split(",")]
    records = read_abstracts(arguments.rows)
    with (
        tempfile.TemporaryDirectory() as scratch,
        quiet(cache_folder() / "benchmarks" / "log.txt") as console,
    ):
        model = export_minilm(Path(scratch) / "model")
        rows, one = Path(scratch) / "rows.jsonl", Path(scratch) / "one.jsonl"
        lines = [json.dumps({"key": r.key, "text": r.text}, ensure_ascii=False) for r in records]
        rows.write_text("\n".join(lines) + "\n")
        one.write_text(lines[0] + "\n")
        signature = tf.saved_model.load(str(model)).signatures["serving_text"]
        texts = [record.text for record in records]
        signature(text=tf.constant(texts[:1]))
        with Progress(console) as progress:
            once = run_ours(model, one, 1, progress, 0)
            contenders = {}
            for size in sizes:
                contenders[OURS, size] = functools.partial(run_ours, model, rows, size, progress)
                contenders[LOOP, size] = functools.partial(run_loop, signature, texts, size)
            named = {f"{name}, batches of {size}": run for (name, size), run in contenders.items()}
            results = alternate(named, arguments.rounds, lambda line: console.print(f"  {line}"))
    report = _report(results, sizes, len(records), once)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


def _report(
    results: dict[str, list[float]], sizes: Sequence[int], count: int, once: float
) -> list[dict]:
    """Prints the table."""
    table = Table(
        "batch size", f"{OURS}, rows/s", f"{LOOP}, rows/s", "ratio", title=f"{count:,} abstracts"
    )
    rows = []
    for size in sizes:
        ours, loop = (results[f"{name}, batches of {size}"] for name in (OURS, LOOP))
        milliseconds = [[1e3 * seconds / count for seconds in rounds] for rounds in (ours, loop)]
        row = compare("batch_inference", f"batches of {size}", *milliseconds, "ms/row")
        rates = [spread([count / seconds for seconds in rounds]) for rounds in (ours, loop)]
        ratio = f"{row['ratio']:.2f} ({row['ratio_min']:.2f} – {row['ratio_max']:.2f})"
        table.add_row(str(size), *rates, ratio)
        rows.append(row)
    console = Console()
    console.print(table)
    console.print(f"one row takes {OURS} {once:.1f} s", highlight=False)
    return rows


if __name__ == "__main__":
    main()
