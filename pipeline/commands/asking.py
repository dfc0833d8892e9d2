"""Asking a pushed model: a few texts, or whole files."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.commands.options import (
    EXIT_CONFIG,
    EXIT_FAILED,
    ConfigOption,
    SetOption,
    VerboseOption,
    load_classifier,
)
from pipeline.logs import quiet
from serving.pairs import as_pairs, split_lines


def predict(
    config: ConfigOption,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Texts; standard input, one a line, by default. Of a model of pairs each is followed by its "
            "second text; on standard input a tab is between."
        ),
    ] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON Lines instead of a table.")] = False,
    set_: SetOption = [],  # noqa: B006
) -> None:
    """Ask the stable pushed model of a config's pipeline."""
    settings = load_classifier(config, set_)
    questions = texts or [line.rstrip("\n") for line in sys.stdin]
    pairs = None
    if settings.data.reader.has_pairs:
        try:
            questions, pairs = as_pairs(texts) if texts else split_lines(questions)
        except ValueError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(EXIT_CONFIG) from None
    with quiet(Path(settings.root, settings.name, "log.txt")) as console:
        from pipeline.predict import PredictError
        from pipeline.predict import predict as ask

        try:
            answers = ask(settings, questions, pairs)
        except PredictError as error:
            console.print(str(error), markup=False, soft_wrap=True)
            raise typer.Exit(EXIT_FAILED) from None
    if jsonl:
        for answer in answers:
            typer.echo(json.dumps(answer, ensure_ascii=False))
    else:
        from pipeline.predict import predictions_table

        Console().print(predictions_table(answers))


def predict_batch(
    config: ConfigOption,
    input_: Annotated[
        str,
        typer.Option(
            "--input",
            "-i",
            metavar="PATH",
            help="A file, a folder (all files in it) or a quoted glob pattern: CSV, TSV, JSON Lines, "
            "Parquet, plain text, TFRecord or MEDLINE XML.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A new folder; <root>/<name>/predictions/<run id> by default."
        ),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="jsonl or parquet.")
    ] = "jsonl",
    model: Annotated[
        str | None,
        typer.Option(help="A pushed version, or a SavedModel's folder; what is served by default."),
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="The column with the text, if it is not the config's.")
    ] = None,
    key_column: Annotated[
        str | None, typer.Option(help="The column that names a row, if it is not the config's.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts asked about at once.")] = 64,
    set_: SetOption = [],  # noqa: B006
    verbose: VerboseOption = False,
) -> None:
    """Ask a model about all texts of files, with TFX's BulkInferrer; labels are not needed.

    Writes a row for each text, with its key and place, and what could not be used to a quarantine.

    Exit code: 0 all rows are answered or quarantined, 1 a component failed or there is no model, 2 the
    config or what the options name is wrong.
    """
    settings = load_classifier(config, set_)
    folder = Path(settings.root, settings.name)
    with quiet(folder / "log.txt", verbose) as console:
        with console.status("importing TensorFlow Extended …"):
            from pipeline.batch_input import BatchInputError, find_batch_input
            from pipeline.batch_model import BatchModelError, find_batch_model
            from pipeline.predict import PredictError
            from pipeline.predict_batch import BatchError, check_output, outcome, read_format
            from pipeline.predict_batch import predict_batch as ask
            from pipeline.progress import Progress
            from pipeline.run import new_run_id
        run_id = new_run_id()
        target = output or folder / "predictions" / run_id
        try:
            file_format = read_format(format_)
            check_output(target)
            texts = find_batch_input(settings.data, input_, text_column, key_column)
            asked = find_batch_model(settings, model)
        except (BatchError, BatchInputError, BatchModelError) as error:
            console.print(str(error), markup=False, soft_wrap=True)
            raise typer.Exit(EXIT_CONFIG) from None
        except PredictError as error:
            console.print(str(error), markup=False, soft_wrap=True)
            raise typer.Exit(EXIT_FAILED) from None
        try:
            with Progress(console) as progress:
                summary = ask(
                    settings, texts, asked, target, progress, run_id, file_format, batch_size
                )
        except BatchError as error:
            console.print(str(error), markup=False, soft_wrap=True)
            console.print(f"log: {folder / 'log.txt'}", highlight=False, soft_wrap=True)
            raise typer.Exit(EXIT_FAILED) from None
        for line in outcome(summary, target):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
