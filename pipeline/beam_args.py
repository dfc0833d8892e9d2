"""Options of a Beam runner, checked before anything starts."""

import contextlib
import difflib
import io
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import pydantic

# Their workers are other machines. The latter three's job server has options that Beam's SDK does not know.
_DATAFLOW, _WITH_JOB_SERVER = "dataflow", ("flink", "portable", "spark")
_NEEDED = {_DATAFLOW: ("project", "region", "temp_location"), "portable": ("job_endpoint",)}


def runner_of(args: Sequence[str]) -> str:
    """The runner's name as Beam takes it, in lower case and without "runner"; "" by default."""
    return _values(args).get("runner", "").lower().removesuffix("runner")


def is_remote(args: Sequence[str]) -> bool:
    """Whether the workers are other machines, which do not have our code."""
    return runner_of(args) in (_DATAFLOW, *_WITH_JOB_SERVER)


def check_beam_args(args: tuple[str, ...]) -> tuple[str, ...]:
    """Gives the options back as they are.

    Raises:
        ValueError: an option or the runner is not known, a value is of the wrong type, or one is missing.
    """
    if not args:
        return args
    # Here, because other configs are read without it, in a tenth of the time.
    from apache_beam.options.pipeline_options import StandardOptions

    if wrong := next((arg for arg in args if not arg.startswith("--")), None):
        raise ValueError(f"{wrong!r} is no option: expected --name=value or --name")
    _check_runner(_values(args).get("runner"), StandardOptions.KNOWN_RUNNER_NAMES)
    known = _options(args)
    for name in _options(args, retain_unknown_options=True).keys() - known.keys():
        near = _nearest(name, known)
        if near or runner_of(args) not in _WITH_JOB_SERVER:
            raise ValueError(f"Beam has no option --{name}{near}")
    for name in _NEEDED.get(runner_of(args), ()):
        if not known[name]:
            raise ValueError(f"--runner={_values(args)['runner']} needs --{name}")
    return args


BeamArgs = Annotated[tuple[str, ...], pydantic.AfterValidator(check_beam_args)]


def _values(args: Iterable[str]) -> dict[str, str]:
    pairs = (arg.removeprefix("--").partition("=") for arg in args)
    return {name: value for name, _, value in pairs}


def _check_runner(runner: str | None, known: Sequence[str]) -> None:
    names = {name.lower() for name in known}
    if runner is None or "." in runner:  # a class of one's own
        return
    if not names & {runner.lower(), f"{runner.lower()}runner"}:
        near = _nearest(runner, known) or f"; there is {', '.join(known)}"
        raise ValueError(f"Beam has no runner {runner}{near}")


def _nearest(word: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else ""


def _options(args: Sequence[str], **how: bool) -> dict[str, Any]:
    """What Beam makes of the options. At a wrong value its parser prints all it knows, and exits."""
    from apache_beam.options.pipeline_options import PipelineOptions

    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            return PipelineOptions(list(args)).get_all_options(**how)
    except SystemExit:
        last = printed.getvalue().strip().splitlines()[-1]
        raise ValueError(last.partition("error: ")[2] or last) from None
