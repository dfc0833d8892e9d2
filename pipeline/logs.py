"""Quiet by default: what libraries print goes to a file, what we say to the terminal."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

# Both repeat themselves at every node of every run and say nothing a user could act on.
_NOISE = ("ArtifactQuery", "ZetaSQL")


@contextlib.contextmanager
def quiet(log_file: Path, verbose: bool = False) -> Iterator[Console]:
    """Sends everything written to standard error, Python or native, to `log_file`.

    TensorFlow's C++ code writes to the file descriptor itself, so that is what is redirected.

    Args:
        log_file: is appended to.
        verbose: leave standard error alone instead, and log at INFO to it.

    Yields:
        A console on the terminal's own standard error.
    """
    if verbose:
        with _logging(logging.BASIC_FORMAT):
            yield Console(stderr=True)
        return
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with open(log_file, "ab") as file:
            os.dup2(file.fileno(), 2)
        logging.getLogger("absl").addFilter(_not_noise)
        logging.getLogger("apache_beam").setLevel(logging.WARNING)
        with (
            warnings.catch_warnings(),
            _logging("%(asctime)s %(name)s %(message)s"),
            os.fdopen(terminal, "w", closefd=False) as stream,
        ):
            warnings.simplefilter("ignore")
            yield Console(file=stream)
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)


@contextlib.contextmanager
def _logging(form: str) -> Iterator[None]:
    """Logs at INFO to standard error, in the place of what the root logger has; it gets that back."""
    root, handler = logging.getLogger(), logging.StreamHandler()
    handler.setFormatter(logging.Formatter(form))
    before, level = root.handlers[:], root.level
    for other in before:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for other in before:
            root.addHandler(other)
        root.setLevel(level)


def _not_noise(record: logging.LogRecord) -> bool:
    return not any(word in record.getMessage() for word in _NOISE)
