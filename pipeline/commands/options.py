"""What the commands share: options, exit codes, and how a config is loaded or refused."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.config_loader import ConfigError, load_config, top_keys
from pipeline.configs import PipelineConfig
from pipeline.few_shot_config import FewShotConfig
from pipeline.inputs import InputError, check_inputs
from pipeline.pretrain_config import AnyConfig, MethodConfig, PretrainConfig, config_class

EXIT_FAILED, EXIT_CONFIG, EXIT_NOT_BLESSED = 1, 2, 3

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
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="All logs, on standard error.")
]


def load(path: Path, overrides: list[str]) -> AnyConfig:
    """The config of any line; ends the process with a sentence if it is wrong."""
    try:
        return load_config(config_class(top_keys(path)), path, overrides)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_CONFIG) from None


def load_runnable(path: Path, overrides: list[str]) -> AnyConfig:
    """A config whose files are all there, so that nothing is started in vain."""
    settings = load(path, overrides)
    try:
        check_inputs(settings)
    except InputError as error:
        typer.echo("\n".join(f"{path}: {line}" for line in str(error).splitlines()), err=True)
        raise typer.Exit(EXIT_CONFIG) from None
    return settings


def load_classifier(path: Path, overrides: list[str]) -> PipelineConfig:
    """The config of a line that makes a classifier."""
    settings = load(path, overrides)
    if isinstance(settings, MethodConfig):
        settings = settings.finetune
    if isinstance(settings, PretrainConfig | FewShotConfig):
        typer.echo(f"{path} makes no classifier to ask", err=True)
        raise typer.Exit(EXIT_CONFIG)
    return settings


def lines_of(settings: AnyConfig) -> list[PipelineConfig | PretrainConfig]:
    """What is run, in this order."""
    if isinstance(settings, MethodConfig):
        return [settings.pretrain, settings.finetune]
    if isinstance(settings, FewShotConfig):
        typer.echo(f"{settings.name} asks a model and has no components", err=True)
        raise typer.Exit(EXIT_CONFIG)
    return [settings]
