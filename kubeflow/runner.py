"""The command line: python -m kubeflow.runner COMMAND."""

import datetime
import json
import re
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from kubeflow.local.executor import LocalExecutor, StepFailed, StepRun
from kubeflow.local.ir import Ir, IrError, fill_parameters, read_ir
from kubeflow.local.preload import modules_of
from kubeflow.local.processes import Forked, Fresh, Processes
from pipeline.commands.options import EXIT_CONFIG, EXIT_FAILED, ConfigOption, SetOption
from pipeline.config_loader import ConfigError, load_config, top_keys
from pipeline.configs import PipelineConfig
from pipeline.pretrain_config import PretrainConfig, config_class
from serving.quiet import quiet_tensorflow

quiet_tensorflow()

_INTERVAL = re.compile(r"([0-9]+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CRON_FIELDS = 6
_PROJECT = Path(__file__).resolve().parents[1]

app = typer.Typer(
    help="The lines on Kubeflow Pipelines: compile, submit, and run what was compiled on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
IrArgument = Annotated[Path, typer.Argument(help="A compiled pipeline.")]
ParameterOption = Annotated[
    list[str],
    typer.Option(
        "--parameter",
        "-p",
        metavar="NAME=VALUE",
        help="Sets a parameter of the run; may be repeated.",
    ),
]


def _load(path: Path, overrides: list[str]) -> PipelineConfig | PretrainConfig:
    try:
        settings = load_config(config_class(top_keys(path)), path, overrides)
    except ConfigError as error:
        raise _wrong(str(error)) from None
    if not isinstance(settings, PipelineConfig | PretrainConfig):
        raise _wrong(f"{path}: a pipeline is one line; give each line a config of its own")
    return settings


def _wrong(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(EXIT_CONFIG)


def _parameters(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise _wrong(f"--parameter {name}: expected NAME=VALUE")
    return {name: value for name, _, value in pairs}


@app.command(name="compile")
def compile_command(
    config: ConfigOption,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help=".yaml for Kubeflow Pipelines, .json for Vertex; <name>.yaml."
        ),
    ] = None,
    set_: SetOption = [],  # noqa: B006
) -> None:
    """Compile a config's line to a file."""
    settings = _load(config, set_)
    path = output or Path(f"{settings.name}.yaml")
    pipeline = _compile(config, settings, path)
    names = ", ".join(sorted(pipeline.parameters))
    typer.echo(f"{path}: {len(pipeline.tasks)} steps; parameters: {names}")


def _compile(config: Path, settings: PipelineConfig | PretrainConfig, path: Path) -> Ir:
    from kubeflow.compile import compile_line, write_ir

    try:
        write_ir(*compile_line(settings), path)
    except ConfigError as error:
        raise _wrong(f"{config}: {error}") from None
    return read_ir(path)


@app.command()
def submit(
    config: ConfigOption,
    name: Annotated[
        str | None, typer.Option(help="Of the run; the pipeline's and the time.")
    ] = None,
    vertex: Annotated[
        str | None,
        typer.Option(metavar="PROJECT/REGION", help="To Vertex AI Pipelines there instead."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="CRON|INTERVAL",
            help="Have it started again and again: six cron fields, the first of them seconds "
            "('0 0 6 * * *'), or a number with s, m, h or d (12h).",
        ),
    ] = None,
    parameter: ParameterOption = [],  # noqa: B006
    set_: SetOption = [],  # noqa: B006
) -> None:
    """Compile a config's line and start a run of it, or schedule its runs."""
    from kubeflow.submit import schedule_on_kubeflow, submit_to_kubeflow, submit_to_vertex

    if every and vertex:
        raise _wrong(
            "--every schedules runs on Kubeflow Pipelines; Vertex has schedules of its own"
        )
    schedule = _schedule(every) if every else None
    settings = _load(config, set_)
    section = settings.kubeflow
    if section and section.spec != "2.1" and not vertex:
        raise _wrong("kubeflow.spec: Kubeflow Pipelines runs spec 2.1; 2.0 is for Vertex")
    given = _parameters(parameter)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{settings.name}.{'json' if vertex else 'yaml'}")
        pipeline = _compile(config, settings, path)
        assert section  # or it would not compile
        values = {key: _filled(pipeline, given)[key] for key in given}
        run = name or f"{settings.name} {datetime.datetime.now():%Y-%m-%d %H:%M:%S}"
        if schedule:
            scheduled = schedule_on_kubeflow(path, section, name or settings.name, values, schedule)
            typer.echo(f"recurring run {scheduled}")
            return
        if vertex:
            project, _, region = vertex.partition("/")
            started = submit_to_vertex(path, section, run, values, project, region)
        else:
            started = submit_to_kubeflow(path, section, run, values)
    typer.echo(f"run {started}")


def _schedule(every: str) -> str | int:
    """A cron expression, or seconds."""
    match = _INTERVAL.fullmatch(every)
    if match and int(match[1]):
        return int(match[1]) * _SECONDS[match[2]]
    if len(every.split()) != _CRON_FIELDS:
        raise _wrong(
            f"--every {every!r}: expected six cron fields (second minute hour day month weekday), "
            "or an interval such as 12h"
        )
    return every


def _filled(pipeline: Ir, given: dict[str, str]) -> dict[str, Any]:
    try:
        return fill_parameters(pipeline, given)
    except IrError as error:
        raise _wrong(str(error)) from None


@app.command()
def run_local(
    ir: IrArgument,
    root: Annotated[
        Path | None, typer.Option(help="Folder of artifacts; the pipeline's own by default.")
    ] = None,
    run: Annotated[
        str, typer.Option(help="Run id; the same id again goes on where it was ended.")
    ] = "local",
    fork: Annotated[
        bool, typer.Option(help="Fork each step from a process that has imported TFX already.")
    ] = False,
    parameter: ParameterOption = [],  # noqa: B006
) -> None:
    """Run a compiled pipeline on this machine, each step as its container would.

    Exit code: 0 done, 1 a step failed, 2 the file or a parameter is wrong.
    """
    try:
        pipeline = read_ir(ir)
    except IrError as error:
        raise _wrong(str(error)) from None
    values = _filled(pipeline, _parameters(parameter))
    executor = LocalExecutor(
        pipeline, (root or Path(pipeline.root)).resolve(), _processes(pipeline, fork), _report
    )
    try:
        executor.run(run, values)
    except StepFailed as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None


def _processes(pipeline: Ir, fork: bool) -> Processes:
    return Forked(_PROJECT, modules_of(pipeline)) if fork else Fresh(_PROJECT)


def _report(step: StepRun) -> None:
    typer.echo(f"{step.name:<24} {step.state:<8} {step.seconds:6.1f} s")
    for key, artifacts in step.outputs.items():
        for artifact in artifacts:
            metadata = json.dumps(artifact["metadata"], ensure_ascii=False)
            typer.echo(f"    {key}: {artifact['uri']} {metadata[:200]}")


if __name__ == "__main__":
    app()
