"""Starts a container's command as a process of its own."""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

TIMED_OUT = 124  # as timeout(1) has it


class Processes(Protocol):
    """Runs commands."""

    def run(self, command: Sequence[str], log: Path, seconds: int | None) -> int:
        """Waits for a command, whose output is added to `log`; returns its exit code.

        After `seconds` it is killed, with what it has started, and TIMED_OUT returned.
        """


class Fresh(Processes):
    """A new interpreter for each command, as on a cluster.

    Args:
        folder: where commands run: the image's working directory.
    """

    def __init__(self, folder: Path):
        self._folder = folder

    def run(self, command: Sequence[str], log: Path, seconds: int | None) -> int:
        """See Processes."""
        first, *others = command
        program = sys.executable if first == "python" else first
        with log.open("ab") as output:
            process = subprocess.Popen(
                [program, *others],
                cwd=self._folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                return process.wait(seconds)
            except subprocess.TimeoutExpired:
                return TIMED_OUT
            finally:
                _end(process.pid)
                process.wait()


class Forked(Processes):
    """Each `python -m MODULE …` is forked from a server that has imported what all of them import.

    Still a process of its own with the same arguments, but without the seconds in which Python imports TFX
    and TensorFlow. What differs from a cluster: all steps' modules are imported, and in another order, before
    a step begins.

    Args:
        folder: where commands run.
        modules: to import beforehand.
    """

    def __init__(self, folder: Path, modules: Iterable[str]):
        self._folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(sorted(modules))

    def run(self, command: Sequence[str], log: Path, seconds: int | None) -> int:
        """See Processes."""
        first, flag, module, *arguments = command
        if (first, flag) != ("python", "-m"):
            raise ValueError(f"only python -m MODULE can be forked, not {' '.join(command[:3])}")
        process = self._context.Process(
            target=_call, args=(str(self._folder), module, arguments, str(log))
        )
        process.start()
        try:
            return _exit_code(process, seconds)
        finally:
            _end(process.pid)
            process.join()


def _exit_code(process: BaseProcess, seconds: int | None) -> int:
    process.join(seconds)
    return TIMED_OUT if process.exitcode is None else process.exitcode


def _call(folder: str, module: str, arguments: list[str], log: str) -> None:
    """`python -m module arguments`, in a process that has just been forked."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.chdir(folder)
    sys.argv = [module, *arguments]
    sys.path[0] = folder
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end(pid: int | None) -> None:
    """Ends a session: the process, and what it has started and left running."""
    try:
        os.killpg(int(pid or 0), signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
