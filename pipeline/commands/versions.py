"""What was pushed: looking at versions, promoting one, going back."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pipeline.commands.options import EXIT_CONFIG, EXIT_FAILED, ConfigOption, SetOption, load
from pipeline.configs import PipelineConfig
from pipeline.few_shot_config import FewShotConfig
from pipeline.pretrain_config import MethodConfig, PretrainConfig

if TYPE_CHECKING:
    from components.pusher.history import Change

FolderOption = Annotated[
    str | None,
    typer.Option(
        "--folder",
        help="Of the versions; by default where local runs push. Kubeflow's is kubeflow.serving.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of a text.")]


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
    settings = load(path, overrides)
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
