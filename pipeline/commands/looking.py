"""Looking without running: configs, graphs, data sets, and what earlier runs have left."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import (
    EXIT_CONFIG,
    EXIT_FAILED,
    ConfigOption,
    SetOption,
    lines_of,
    load,
    load_runnable,
)
from pipeline.configs import PipelineConfig
from pipeline.datasets.fetch import DatasetError
from pipeline.datasets.fetch import fetch as fetch_dataset
from pipeline.datasets.registry import DATASETS
from pipeline.few_shot_config import FewShotConfig
from pipeline.inputs import InputError
from pipeline.logs import quiet
from pipeline.pretrain_config import PretrainConfig

if TYPE_CHECKING:
    from pipeline.report.run_record import RunRecord


def validate(config: ConfigOption, set_: SetOption = []) -> None:  # noqa: B006
    """Check a config, and that what it names is there; run nothing."""
    settings = load_runnable(config, set_)
    if isinstance(settings, FewShotConfig):
        names = [settings.name]
    else:
        names = [line.name for line in lines_of(settings)]
    typer.echo(f"{config}: valid ({', '.join(names)})")


def show(config: ConfigOption, set_: SetOption = []) -> None:  # noqa: B006
    """Print the graph: each component, what it reads and what it writes."""
    for settings in lines_of(load_runnable(config, set_)):
        with quiet(Path(settings.root, settings.name, "log.txt")) as console:
            from pipeline.graph import graph_text

            try:
                text = graph_text(settings)
            except (DatasetError, InputError) as error:
                console.print(str(error), markup=False)
                raise typer.Exit(EXIT_CONFIG) from None
        typer.echo(text)


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


def report(
    config: ConfigOption,
    run: Annotated[
        str | None, typer.Option("--run", help="A run id; the newest run by default.")
    ] = None,
    set_: SetOption = [],  # noqa: B006
) -> None:
    """Write a finished run's report again, and print where it is.

    It says what the pushed version is now. Of a config with `pretrain` and `finetune`, the runs of both
    are meant.
    """
    from pipeline.report.find import run_folder
    from pipeline.report.page import write_report
    from pipeline.report.run_record import RunError, RunRecord

    written, missing = [], []
    for settings in lines_of(load(config, set_)):
        try:
            record = RunRecord.read(run_folder(settings, run))
        except RunError as error:
            missing.append(str(error))
        else:
            written.append(write_report(_as_it_stands(record, settings)))
    typer.echo("\n".join(map(str, written or missing)), err=not written)
    if not written:
        raise typer.Exit(EXIT_CONFIG)


def _as_it_stands(record: "RunRecord", settings: PipelineConfig | PretrainConfig) -> "RunRecord":
    """The run with what has become of its version since."""
    if not record.summary["pushed"]:
        return record
    from components.pusher.store import HistoryError
    from pipeline.versions import standing

    try:
        pushed = standing(settings, record.summary["pushed"])
    except HistoryError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    return dataclasses.replace(record, summary=record.summary | {"pushed": pushed})


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
