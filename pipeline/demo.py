"""The last act of `make demo`: serve the pushed model and ask it about abstracts it never saw."""

import itertools
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console
from rich.table import Table

from components.example_files import read_columns
from pipeline.configs import short_path
from serving.client import Client, Prediction
from serving.process import ServerProcess

_EXCERPT = 160


def ask_served_model(console: Console, summary: dict[str, Any], count: int = 3) -> None:
    """Starts the development server on the pushed model and prints its answers to test abstracts.

    Args:
        console: where the table goes.
        summary: of a run whose model was pushed.
        count: how many abstracts of the test split are asked.

    Raises:
        serving.process.ServerFailed: the server did not start.
    """
    version = Path(summary["pushed"]["path"])
    [examples] = summary["artifacts"][_example_gen_key(summary)]
    unseen = _test_examples(examples, count)
    base = version.parent
    with (
        ServerProcess(base, base.name) as server,
        Client(server.grpc_target, base.name) as client,
    ):
        predictions = client.predict([text for text, _ in unseen])
    table = Table(
        "abstract (test split, never trained on)", "predicted", "p", "true", show_lines=True
    )
    for (text, label), prediction in zip(unseen, predictions, strict=True):
        assert isinstance(prediction, Prediction)  # the demo's config has one label a text
        color = "green" if prediction.label == label else "red"
        table.add_row(
            text[:_EXCERPT] + "…",
            f"[{color}]{prediction.label}[/]",
            f"{prediction.probability:.2f}",
            label,
        )
    console.print(table)
    console.print("what was made:")
    for name, path in {
        "model": version,
        "evaluation": summary["artifacts"]["Evaluator.evaluation"][0],
        "training curves": summary["artifacts"]["Trainer.model_run"][0],
    }.items():
        console.print(f"  {name:<16} {short_path(Path(path))}", highlight=False, soft_wrap=True)
    console.print(
        f"serve it yourself: .venv/bin/python -m serving.server --rest_api_port=8501 "
        f"--model_name={base.name} --model_base_path={short_path(base)}",
        highlight=False,
        soft_wrap=True,
    )


def _example_gen_key(summary: dict[str, Any]) -> str:
    return next(name for name in summary["artifacts"] if name.endswith("ExampleGen.examples"))


def _test_examples(uri: str, count: int) -> list[tuple[str, str]]:
    """Text and label of the first rows of the test split."""
    files = sorted(tf.io.gfile.glob(f"{uri}/Split-test/*"))
    columns = next(read_columns(files, ["text", "label"]))
    rows = zip(columns["text"], columns["label"], strict=True)
    return [(text.decode(), label.decode()) for text, label in itertools.islice(rows, count)]
