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
        logging.basicConfig(level=logging.INFO, force=True)
        yield Console(stderr=True)
        return
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with open(log_file, "ab") as file:
            os.dup2(file.fileno(), 2)
        warnings.simplefilter("ignore")
        logging.basicConfig(
            level=logging.INFO, force=True, format="%(asctime)s %(name)s %(message)s"
        )
        logging.getLogger("absl").addFilter(_not_noise)
        logging.getLogger("apache_beam").setLevel(logging.WARNING)
        with os.fdopen(terminal, "w", closefd=False) as stream:
            yield Console(file=stream)
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)


def _not_noise(record: logging.LogRecord) -> bool:
    return not any(word in record.getMessage() for word in _NOISE)
