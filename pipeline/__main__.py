"""The command line: python -m pipeline COMMAND."""

import os

# Read by native code when it is first loaded, hence before any other import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from models.preemption import EXIT_PREEMPTED
from pipeline.config_loader import ConfigError, load_config, top_keys
from pipeline.configs import PipelineConfig
from pipeline.datasets.fetch import DatasetError
from pipeline.datasets.fetch import fetch as fetch_dataset
from pipeline.datasets.registry import DATASETS
from pipeline.few_shot_config import FewShotConfig
from pipeline.inputs import InputError, check_inputs
from pipeline.logs import quiet
from pipeline.pretrain_config import AnyConfig, MethodConfig, PretrainConfig, config_class
from serving.pairs import as_pairs, split_lines

if TYPE_CHECKING:
    from components.pusher.history import Change

DEMO_CONFIG = Path("configs/pubmed_disease_area_demo.yaml")
EXIT_FAILED, EXIT_CONFIG, EXIT_NOT_BLESSED = 1, 2, 3

app = typer.Typer(
    help="From raw scientific text to an evaluated, served classifier.\n\n"
    "Begin with: python -m pipeline run --config configs/pubmed_disease_area_demo.yaml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="A YAML file, such as those in configs/.")
]
SetOption = Annotated[
    list[str],
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Overrides one key, e.g. training.epochs=5; may be repeated.",
    ),
]
FolderOption = Annotated[
    str | None,
    typer.Option(
        "--folder",
        help="Of the versions; by default where local runs push. Kubeflow's is kubeflow.serving.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of a text.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="All logs, on standard error.")
]


def _load(path: Path, overrides: list[str]) -> AnyConfig:
    try:
        return load_config(config_class(top_keys(path)), path, overrides)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_CONFIG) from None


def _load_runnable(path: Path, overrides: list[str]) -> AnyConfig:
    """A config whose files are all there, so that nothing is started in vain."""
    settings = _load(path, overrides)
    try:
        check_inputs(settings)
    except InputError as error:
        typer.echo("\n".join(f"{path}: {line}" for line in str(error).splitlines()), err=True)
        raise typer.Exit(EXIT_CONFIG) from None
    return settings


def _load_classifier(path: Path, overrides: list[str]) -> PipelineConfig:
    """The config of a line that makes a classifier."""
    settings = _load(path, overrides)
    if isinstance(settings, MethodConfig):
        settings = settings.finetune
    if isinstance(settings, PretrainConfig | FewShotConfig):
        typer.echo(f"{path} makes no classifier to ask", err=True)
        raise typer.Exit(EXIT_CONFIG)
    return settings


@app.command()
def run(config: ConfigOption, set_: SetOption = [], verbose: VerboseOption = False) -> None:  # noqa: B006
    """Run a line: ingest, validate, train, evaluate, check serving, push.

    A config with `pretrain` and `finetune` runs both, the second only if the first's model is blessed. One
    with `few_shot` asks a pretrained GPT, and trains nothing.

    Exit code: 0 pushed or already pushed, 1 a component failed, 2 the config is wrong, 3 not blessed, 75
    ended by SIGTERM while training: the same command goes on from there.
    """
    settings = _load_runnable(config, set_)
    if isinstance(settings, FewShotConfig):
        _run_few_shot(settings, verbose)
        return
    for line in _lines(settings):
        if code := _exit_code(_run(line, verbose)):
            raise typer.Exit(code)


def _lines(settings: AnyConfig) -> list[PipelineConfig | PretrainConfig]:
    """What is run, in this order."""
    if isinstance(settings, MethodConfig):
        return [settings.pretrain, settings.finetune]
    if isinstance(settings, FewShotConfig):
        typer.echo(f"{settings.name} asks a model and has no components", err=True)
        raise typer.Exit(EXIT_CONFIG)
    return [settings]


def _run_few_shot(settings: FewShotConfig, verbose: bool) -> None:
    folder = Path(settings.root, settings.name)
    with quiet(folder / "log.txt", verbose) as console:
        with console.status("importing TensorFlow …"):
            from pipeline.few_shot import FewShotError, run_few_shot, summary_table
            from pipeline.run import new_run_id
        run_id = new_run_id()
        console.print(f"[bold]{settings.name}[/] run {run_id}")
        try:
            summary = run_few_shot(settings, run_id, console.print)
        except (DatasetError, FewShotError) as error:
            console.print(str(error), markup=False)
            raise typer.Exit(EXIT_CONFIG) from None
        console.print(summary_table(summary))
        console.print(f"summary: {folder / run_id / 'summary.json'}", highlight=False)


def _run(
    settings: PipelineConfig | PretrainConfig, verbose: bool, ask: bool = False
) -> dict[str, Any]:
    folder = Path(settings.root, settings.name)
    with quiet(folder / "log.txt", verbose) as console:
        with console.status("importing TensorFlow Extended …"):
            from pipeline.progress import Progress, show_summary
            from pipeline.run import new_run_id
            from pipeline.run import run as run_line
        run_id = new_run_id()
        console.print(f"[bold]{settings.name}[/] run {run_id}")
        try:
            with Progress(console) as progress:
                summary = run_line(settings, run_id, progress)
        except DatasetError as error:
            console.print(str(error), markup=False)
            raise typer.Exit(EXIT_CONFIG) from None
        show_summary(console, summary)
        if ask and summary["pushed"]:
            from pipeline.demo import ask_served_model

            ask_served_model(console, summary)
        console.print(
            f"summary: {folder / run_id / 'summary.json'}", highlight=False, soft_wrap=True
        )
        console.print(
            f"report:  {folder / run_id / 'report.html'}", highlight=False, soft_wrap=True
        )
        if summary["error"]:
            console.print(f"log: {folder / 'log.txt'}", highlight=False, soft_wrap=True)
    return summary


def _exit_code(summary: dict[str, Any]) -> int:
    codes = {"succeeded": 0, "not_blessed": EXIT_NOT_BLESSED, "preempted": EXIT_PREEMPTED}
    return codes.get(summary["status"], EXIT_FAILED)


@app.command()
def continuous(
    config: ConfigOption,
    watch: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=1, help="Wait for further spans, looking so often; else end."
        ),
    ] = None,
    again: Annotated[
        list[int],
        typer.Option(metavar="SPAN", help="Decide about a span once more; may be repeated."),
    ] = [],  # noqa: B006
    set_: SetOption = [],  # noqa: B006
    verbose: VerboseOption = False,
) -> None:
    """Train on each new span of data: gate, canary, then promote or roll back.

    The same command goes on where it was killed, and does nothing where no new span has come.

    Exit code: 0 the newest decision is a promotion, or nothing new; 1 a component failed, or another process
    is at work; 2 the config is wrong; 3 the newest candidate was refused or rolled back; 75 ended by SIGTERM.
    """
    settings = _load_runnable(config, set_)
    if not isinstance(settings, PipelineConfig):
        typer.echo(f"{config}: only a fine-tuning line is trained continuously", err=True)
        raise typer.Exit(EXIT_CONFIG)
    from pipeline.continuous.command import ContinuousError, run_continuously
    from pipeline.continuous.step import StepFailed

    try:
        made = run_continuously(settings, lambda line: _run(line, verbose), Console(), watch, again)
    except ContinuousError as error:
        typer.echo(f"{config}: {error}", err=True)
        raise typer.Exit(
            EXIT_CONFIG if settings.data.reader.spans is None else EXIT_FAILED
        ) from None
    except StepFailed as error:
        raise typer.Exit(_exit_code(error.summary)) from None
    if made and made[-1].outcome != "promoted":
        raise typer.Exit(EXIT_NOT_BLESSED)


@app.command()
def demo(set_: SetOption = [], verbose: VerboseOption = False) -> None:  # noqa: B006
    """Run the demo config, then serve the pushed model and ask it about three unseen abstracts."""
    [settings] = _lines(_load_runnable(DEMO_CONFIG, set_))
    raise typer.Exit(_exit_code(_run(settings, verbose, ask=True)))


@app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which; all of them by default.")
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Only say what there is, all of it.")
    ] = False,
) -> None:
    """Fetch data sets and weights into the cache, so that later runs need no network."""
    if list_:
        for name, dataset in DATASETS.items():
            typer.echo(f"{name:<20} {dataset.licence}")
        return
    for name in names or DATASETS:
        try:
            typer.echo(f"{name:<20} {fetch_dataset(name)}")
        except DatasetError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(EXIT_FAILED) from None


@app.command()
def validate(config: ConfigOption, set_: SetOption = []) -> None:  # noqa: B006
    """Check a config, and that what it names is there; run nothing."""
    settings = _load_runnable(config, set_)
    if isinstance(settings, FewShotConfig):
        names = [settings.name]
    else:
        names = [line.name for line in _lines(settings)]
    typer.echo(f"{config}: valid ({', '.join(names)})")


@app.command()
def show(config: ConfigOption, set_: SetOption = []) -> None:  # noqa: B006
    """Print the graph: each component, what it reads and what it writes."""
    for settings in _lines(_load_runnable(config, set_)):
        with quiet(Path(settings.root, settings.name, "log.txt")) as console:
            from pipeline.graph import graph_text

            try:
                text = graph_text(settings)
            except (DatasetError, InputError) as error:
                console.print(str(error), markup=False)
                raise typer.Exit(EXIT_CONFIG) from None
        typer.echo(text)


@app.command()
def lineage(
    run: Annotated[
        str, typer.Argument(help="A run id, or the path of a run's folder or summary.json.")
    ],
    root: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("runs"),
) -> None:
    """Print which data, vocabulary, weights and config made a run's model."""
    from pipeline.lineage import LineageError, lineage_text

    try:
        typer.echo(lineage_text(run, root))
    except LineageError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_CONFIG) from None


@app.command()
def report(
    config: ConfigOption,
    run: Annotated[
        str | None, typer.Option("--run", help="A run id; the newest run by default.")
    ] = None,
    set_: SetOption = [],  # noqa: B006
) -> None:
    """Write a finished run's report again, and print where it is.

    Of a config with `pretrain` and `finetune`, the runs of both are meant.
    """
    from pipeline.report.find import run_folder
    from pipeline.report.page import write_report
    from pipeline.report.run_record import RunError

    written, missing = [], []
    for settings in _lines(_load(config, set_)):
        try:
            written.append(write_report(run_folder(settings, run)))
        except RunError as error:
            missing.append(str(error))
    typer.echo("\n".join(map(str, written or missing)), err=not written)
    if not written:
        raise typer.Exit(EXIT_CONFIG)


@app.command()
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
    settings = _load_classifier(config, set_)
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


@app.command()
def status(
    config: ConfigOption,
    folder: FolderOption = None,
    as_json: JsonOption = False,
    set_: SetOption = [],  # noqa: B006
) -> None:
    """List the pushed versions: labels, origin, whether each file is as it was pushed.

    Exit code: 0, or 1 if a version that servers look at is damaged.
    """
    from components.pusher.store import HistoryError
    from pipeline.versions import status as look
    from pipeline.versions_table import versions_table

    try:
        found = look(_versioned(config, set_), folder)
    except HistoryError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
    else:
        Console().print(versions_table(found))
    if any(version.served and version.hash == "damaged" for version in found.versions):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def promote(
    config: ConfigOption,
    version: Annotated[
        int | None, typer.Argument(help="Becomes stable; the canary by default.")
    ] = None,
    why: Annotated[str, typer.Option(help="Goes into the history.")] = "",
    again: Annotated[
        bool, typer.Option("--again", help="Even a version that was rolled back.")
    ] = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
    set_: SetOption = [],  # noqa: B006
) -> None:
    """Make the canary, or another version, the stable one."""
    from pipeline import versions

    settings = _versioned(config, set_)
    _change(
        lambda: versions.promote(settings, version, why=why, again=again, folder=folder), as_json
    )


@app.command()
def rollback(
    config: ConfigOption,
    why: Annotated[str, typer.Option(help="The reason; it is kept with the version.")],
    to: Annotated[
        int | None, typer.Option(help="Becomes stable; the version before by default.")
    ] = None,
    canary: Annotated[
        bool, typer.Option("--canary", help="Withdraw the canary; stable stays.")
    ] = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
    set_: SetOption = [],  # noqa: B006
) -> None:
    """Withdraw the stable version, and go back to the one before. It is kept, and marked."""
    from pipeline import versions

    settings = _versioned(config, set_)
    _change(lambda: versions.rollback(settings, to, why=why, canary=canary, folder=folder), as_json)


def _versioned(path: Path, overrides: list[str]) -> PipelineConfig | PretrainConfig:
    """The line whose versions are meant; of a method that is the second."""
    settings = _load(path, overrides)
    if isinstance(settings, MethodConfig):
        return settings.finetune
    if isinstance(settings, FewShotConfig):
        typer.echo(f"{path} pushes nothing", err=True)
        raise typer.Exit(EXIT_CONFIG)
    return settings


def _change(change: Callable[[], "Change"], as_json: bool) -> None:
    from components.pusher.store import HistoryError
    from pipeline.versions import VersionError
    from pipeline.versions_table import change_text

    try:
        made = change()
    except (VersionError, HistoryError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    typer.echo(made.model_dump_json(indent=1) if as_json else change_text(made))


@app.command()
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
    settings = _load_classifier(config, set_)
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


if __name__ == "__main__":
    app()
