"""Ways to fine-tune for one epoch, each a process of its own that prints one line of JSON."""

import dataclasses
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BATCH_SIZE = 32

_ROOT = Path(__file__).resolve().parents[2]
_OURS = "benchmarks.finetune_throughput.ours"
_PEER = "benchmarks.huggingface.train"
_FIRST_UPDATES = 3  # of a probe: they hold what is traced or compiled once


@dataclasses.dataclass(frozen=True)
class Result:
    """What a contender says of itself.

    Attributes:
        seconds: of training, from the first batch to the last update.
        examples: trained on.
        steps: for each update its `seconds`, `tokens` and, with padding, `positions`.
        accuracy: on the test split, afterwards.
        peak_mb: resident memory at most, evaluation included.
    """

    seconds: float
    examples: int
    steps: list[dict[str, float]]
    accuracy: float
    peak_mb: float

    @property
    def updates(self) -> int:
        """How often the weights were moved."""
        return len(self.steps)

    @property
    def tokens(self) -> int:
        """Ids trained on, padding not counted."""
        return int(sum(step["tokens"] for step in self.steps))

    @property
    def positions(self) -> int:
        """Ids trained on, padding counted."""
        return int(sum(step["positions"] for step in self.steps))

    def projected(self, examples: int) -> float:
        """About the seconds that so many examples would take, had they the lengths of these.

        What the first three updates took, which trace or compile, is paid once; the rest costs the median
        update's time a position.

        Raises:
            ValueError: there are no more than three updates.
        """
        first, rest = self.steps[:_FIRST_UPDATES], self.steps[_FIRST_UPDATES:]
        if not rest:
            raise ValueError(f"{self.updates} updates are too few to project from: raise --limit")
        rate = statistics.median(step["seconds"] / step["positions"] for step in rest)
        positions = self.positions * examples / self.examples
        later = positions - sum(step["positions"] for step in first)
        return sum(step["seconds"] for step in first) + rate * later


@dataclasses.dataclass(frozen=True)
class Contender:
    """A way to train.

    Attributes:
        name: for people.
        command: what to run; data, weights, seed and limit are added.
    """

    name: str
    command: tuple[str, ...]

    def run(self, data: Path, weights: Path, seed: int, limit: int | None = None) -> Result:
        """Trains on train.jsonl in `data` for one epoch (of the first `limit` rows).

        Raises:
            RuntimeError: the process failed; with the end of what it said.
        """
        command = [*self.command, "--data", data, "--weights", weights, "--seed", str(seed)]
        command += ["--limit", str(limit)] if limit else []
        process = subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, check=False, errors="replace"
        )
        if process.returncode:
            raise RuntimeError(
                f"{self.name} ended with exit code {process.returncode}\n{process.stderr[-3000:]}"
            )
        return Result(**json.loads(process.stdout.splitlines()[-1]))


def ours(precisions: Sequence[str]) -> list[Contender]:
    """Our line's training in each of the precisions."""
    command = (sys.executable, "-m", _OURS, "--precision")
    return [Contender(f"ours, {name}", (*command, name)) for name in precisions]


def plain(python: Path) -> Contender:
    """The peer's recipe that most people copy."""
    return Contender(
        "HF plain, padded to 128, float32", (str(python), "-m", _PEER, "--recipe", "plain")
    )


BEST_MODES = {
    "float32": (),
    "bf16": ("--bf16",),
    "float32-compiled": ("--compile",),
    "bf16-compiled": ("--bf16", "--compile"),
}


def best(python: Path, modes: Sequence[str]) -> list[Contender]:
    """The peer with texts grouped by length, in each of the modes (keys of `BEST_MODES`)."""
    command = (str(python), "-m", _PEER, "--recipe", "best")
    return [Contender(f"HF grouped, {mode}", (*command, *BEST_MODES[mode])) for mode in modes]


def whole_batches(examples: int, fraction: float) -> int:
    """The rows that make about this share of an epoch's batches; at least one batch, and no part of one."""
    updates = -(-examples // BATCH_SIZE)
    return min(examples, max(1, round(fraction * updates)) * BATCH_SIZE)
