"""Running a line: once, for each new span, or the demo."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from models.preemption import EXIT_PREEMPTED
from pipeline.commands.options import (
    EXIT_CONFIG,
    EXIT_FAILED,
    EXIT_NOT_BLESSED,
    ConfigOption,
    SetOption,
    VerboseOption,
    lines_of,
    load_runnable,
)
from pipeline.configs import PipelineConfig
from pipeline.datasets.fetch import DatasetError
from pipeline.few_shot_config import FewShotConfig
from pipeline.logs import quiet
from pipeline.pretrain_config import PretrainConfig

DEMO_CONFIG = Path("configs/pubmed_disease_area_demo.yaml")


def run(config: ConfigOption, set_: SetOption = [], verbose: VerboseOption = False) -> None:  # noqa: B006
    """Run a line: ingest, validate, train, evaluate, check serving, push.

    A config with `pretrain` and `finetune` runs both, the second only if the first's model is blessed. One
    with `few_shot` asks a pretrained GPT, and trains nothing.

    Exit code: 0 pushed or already pushed, 1 a component failed, 2 the config is wrong, 3 not blessed, 75
    ended by SIGTERM while training: the same command goes on from there.
    """
    settings = load_runnable(config, set_)
    if isinstance(settings, FewShotConfig):
        _run_few_shot(settings, verbose)
        return
    for line in lines_of(settings):
        if code := _exit_code(_run(line, verbose)):
            raise typer.Exit(code)


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
    settings = load_runnable(config, set_)
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


def demo(set_: SetOption = [], verbose: VerboseOption = False) -> None:  # noqa: B006
    """Run the demo config, then serve the pushed model and ask it about three unseen abstracts."""
    [settings] = lines_of(load_runnable(DEMO_CONFIG, set_))
    raise typer.Exit(_exit_code(_run(settings, verbose, ask=True)))
