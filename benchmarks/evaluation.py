"""The whole evaluation, intervals and decision included, beside TFMA alone with its own intervals.

`python -m benchmarks.evaluation [--examples 20000] [--rounds 5] [--peer jackknife] [--json FILE]`

Both read the same examples, which carry their predictions, so that inference costs next to nothing and what
is measured is the time beyond it: reading, TFMA's metrics on the same 36 slices of 4 features, intervals.
Ours is the Evaluator component's work from end to end: TFMA's metrics without intervals, the predictions'
file, intervals of all the gate's metrics on every slice, the verdict. The peer is `tfma.run_model_analysis`
of the same EvalConfig with `compute_confidence_intervals`.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from rich.console import Console
from rich.table import Table
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_model_analysis.proto import config_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import json_utils

from benchmarks.alternating import alternate, compare, spread
from components.evaluator.config import GateConfig
from components.evaluator.eval_config import build_eval_config
from components.evaluator.executor import Executor
from components.evaluator.verdict import Verdict

CLASSES = tuple(f"area {i}" for i in range(9))
SLICES = {  # values a feature has
    "label": CLASSES,
    "length_band": tuple(f"band {i}" for i in range(6)),
    "year_band": tuple(f"decade {i}" for i in range(6)),
    "publication_type": tuple(f"type {i}" for i in range(15)),
}
WORDS_A_TEXT = 210  # of the mean abstract of the PubMed sample, with its title
PEERS = {
    "jackknife": config_pb2.ConfidenceIntervalOptions.JACKKNIFE,
    "bootstrap": config_pb2.ConfidenceIntervalOptions.POISSON_BOOTSTRAP,
}


def write_examples(path: Path, count: int, seed: int = 0) -> None:
    """Examples with texts, slices, a label and the nine probabilities of a model that is right on 85 %."""
    rng = np.random.default_rng(seed)
    words = np.array([f"word{i}" for i in range(5000)])
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for number in range(count):
            label = int(rng.integers(len(CLASSES)))
            right = rng.random() < 0.85
            logits = (
                rng.normal(size=len(CLASSES))
                + 4 * np.eye(len(CLASSES))[label if right else rng.integers(len(CLASSES))]
            )
            example = tf.train.Example()
            feature = example.features.feature
            strings = {name: values[rng.integers(len(values))] for name, values in SLICES.items()}
            strings |= {"label": CLASSES[label], "key": f"k{number:06}"}
            strings["text"] = " ".join(rng.choice(words, WORDS_A_TEXT))
            for name, value in strings.items():
                feature[name].bytes_list.value.append(str(value).encode())
            feature["probabilities"].float_list.value.extend(np.exp(logits) / np.exp(logits).sum())
            writer.write(example.SerializeToString())


def save_model(folder: Path) -> None:
    """A SavedModel that answers with the probabilities its examples hold."""
    classes = tf.constant(CLASSES)
    row = {"probabilities": tf.io.FixedLenFeature([len(CLASSES)], tf.float32)}
    label = {"label": tf.io.FixedLenFeature([], tf.string)}

    def answer(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.io.parse_example(examples, row)["probabilities"]
        repeated = tf.repeat(classes[tf.newaxis], tf.shape(probabilities)[0], axis=0)
        return {"probabilities": probabilities, "classes": repeated}

    def transform(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.io.parse_example(examples, label)["label"][:, tf.newaxis]
        return {"label_id": tf.argmax(tf.cast(found == classes, tf.int64), axis=1)}

    spec = [tf.TensorSpec([None], tf.string, name="examples")]
    module = tf.Module()
    signatures = {
        "serving_default": tf.function(answer, input_signature=spec),
        "transform_features": tf.function(transform, input_signature=spec),
    }
    module.functions = list(signatures.values())  # what a module does not hold is not saved
    tf.saved_model.save(module, str(folder), signatures)


def evaluate_ours(work: Path, out: Path) -> Verdict:
    """The Evaluator component's work, with the latest blessed model left out, as for the peer."""
    inputs = {
        "examples": _artifact(standard_artifacts.Examples, work / "examples"),
        "schema": _artifact(standard_artifacts.Schema, work / "schema"),
        "model": _artifact(standard_artifacts.Model, work / "model"),
    }
    inputs["examples"].split_names = artifact_utils.encode_split_names(["test"])
    outputs = {
        "evaluation": _artifact(standard_artifacts.ModelEvaluation, out / "evaluation"),
        "blessing": _artifact(standard_artifacts.ModelBlessing, out / "blessing"),
    }
    gate = GateConfig(min_accuracy=0.5, slices=tuple(SLICES))
    Executor().Do(
        {name: [artifact] for name, artifact in inputs.items()},
        {name: [artifact] for name, artifact in outputs.items()},
        {
            "gate": gate.model_dump_json(),
            "task": "single_label",
            "eval_config": json_format.MessageToJson(build_eval_config(gate.slices)),
            "example_splits": json_utils.dumps(["test"]),
        },
    )
    return Verdict.read(out / "evaluation")


def evaluate_peer(work: Path, out: Path, method: int) -> None:
    """TFMA alone, with its own intervals."""
    config = build_eval_config(tuple(SLICES))
    config.options.compute_confidence_intervals.value = True
    config.options.confidence_intervals.method = method
    model = tfma.default_eval_shared_model(
        str(work / "model" / "Format-Serving"), eval_config=config
    )
    tfma.run_model_analysis(
        model,
        config,
        data_location=str(work / "rows.tfrecord"),
        file_format="tfrecords",
        output_path=str(out),
    )


def prepare(work: Path, count: int) -> None:
    """Writes all that both read."""
    split = work / "examples" / "Split-test"
    split.mkdir(parents=True)
    write_examples(split / "rows.gz", count)
    with tf.io.TFRecordWriter(str(work / "rows.tfrecord")) as writer:
        for raw in tf.data.TFRecordDataset(str(split / "rows.gz"), "GZIP").as_numpy_iterator():
            writer.write(raw)
    schema = schema_pb2.Schema()
    for name in ("key", "text", *SLICES):
        feature = schema.feature.add(name=name, type=schema_pb2.BYTES)
        feature.presence.min_fraction = 1
        feature.shape.dim.add(size=1)
    schema.feature.add(name="probabilities", type=schema_pb2.FLOAT)
    (work / "schema").mkdir()
    (work / "schema" / "schema.pbtxt").write_text(str(schema))
    save_model(work / "model" / "Format-Serving")


def _artifact(kind: Callable[[], Any], folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    made = kind()
    made.uri = str(folder)
    return made


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", choices=PEERS, default="jackknife")
    parser.add_argument("--json", type=Path, help="also write the row as JSON")
    arguments = parser.parse_args()
    console, parts = Console(), []

    def timed(evaluate: Callable[[Path], Verdict | None]) -> tuple[float, float]:
        """Seconds by the clock and of the processors."""
        with tempfile.TemporaryDirectory() as out:
            start, start_cpu = time.monotonic(), time.process_time()
            verdict = evaluate(Path(out))
            seconds = time.monotonic() - start, time.process_time() - start_cpu
        if verdict is not None:
            parts.append(verdict.seconds)
        return seconds

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(work, arguments.examples)
        seconds = alternate(
            {
                "ours": lambda _: timed(lambda out: evaluate_ours(work, out)),
                "peer": lambda _: timed(
                    lambda out: evaluate_peer(work, out, PEERS[arguments.peer])
                ),
            },
            arguments.rounds,
            console.log,
        )
    slices = sum(map(len, SLICES.values()))
    work_name = (
        f"{arguments.examples} predictions, {slices} slices, intervals (TFMA: {arguments.peer})"
    )
    (ours, ours_cpu), (peer, peer_cpu) = (
        list(zip(*seconds[who], strict=True)) for who in ("ours", "peer")
    )
    rows = [
        compare("evaluation", work_name, ours, peer, "s"),
        compare("evaluation", f"{work_name}, processor time", ours_cpu, peer_cpu, "s"),
    ]
    table = Table("seconds, median (least – greatest)", "clock", "processors", title=work_name)
    table.add_row("ours", spread(ours), spread(ours_cpu))
    table.add_row("TFMA alone", spread(peer), spread(peer_cpu))
    for part in parts[0]:
        table.add_row(f"of ours: {part}", spread([found[part] for found in parts]))
    console.print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
