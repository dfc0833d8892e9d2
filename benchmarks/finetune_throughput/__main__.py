"""One epoch of fine-tuning MiniLM-L6: our training beside Transformers on PyTorch.

`python -m benchmarks.finetune_throughput --rounds 5 --json FILE`

Ours, the recipe most people copy (pad to 128, float32) and the peer at its best (dynamic padding, texts
grouped by length, bfloat16 and torch.compile where a probe finds them faster) train on the same rows: the
same weights, mean pooling and linear head, 128 ids at most, batches of 32, AdamW with the same rates, decay,
warm-up, clipping and dropout. Each is a process of its own; they take turns, and the round is the seed.
Timed is the training loop, tracing and compiling included; loading and tokenizing before it and the test
after it are not.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.alternating import alternate, compare, spread
from benchmarks.finetune_throughput import contenders
from benchmarks.finetune_throughput.contenders import BATCH_SIZE, BEST_MODES, Contender, Result
from benchmarks.finetune_throughput.data import TRAIN, Lengths, read_rows
from benchmarks.finetune_throughput.prepare import prepare
from benchmarks.seeds import mean_interval
from pipeline.datasets.fetch import cache_folder, fetch
from pipeline.logs import quiet
from pipeline.progress import Progress

CONFIGS = {
    "long": Path("configs/pubmed_disease_area_demo.yaml"),
    "short": Path("configs/patient_diagnosis_demo.yaml"),
}
PRECISIONS = ("float32", "mixed_bfloat16")
OURS, PLAIN, BEST = "ours", "HF plain", "HF at its best"
_MAX_LENGTH = 128
_PROBE = 12 * BATCH_SIZE
_FIGURES = (
    "seconds an epoch",
    "examples/s",
    "updates",
    "tokens",
    "padding",
    "MB at most",
    "test accuracy (95 %)",
    "ours is faster ×",
)

Tell = Callable[[str], None]


def main() -> None:
    """Measures both data sets and prints a table each."""
    arguments = _arguments()
    rows = []
    with quiet(cache_folder() / "benchmarks" / "log.txt") as console:
        for name in arguments.datasets:
            rows += _measure(name, arguments, console)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--datasets", nargs="+", choices=CONFIGS, default=list(CONFIGS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", choices=PRECISIONS, help="ours; the faster by default")
    parser.add_argument("--peer-mode", choices=BEST_MODES, help="at its best; the fastest one")
    parser.add_argument("--peer-python", type=Path, default=Path(".venv-huggingface/bin/python"))
    parser.add_argument(
        "--peer-fraction",
        type=float,
        default=1.0,
        help="share of the plain recipe's updates, all of one shape, to time and scale up (1)",
    )
    parser.add_argument("--limit", type=int, help="the first N rows only: to try it out")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    if not 0 < arguments.peer_fraction <= 1:
        parser.error("--peer-fraction is a share above 0, at most 1")
    arguments.peer_python = (
        arguments.peer_python.absolute()
    )  # not resolved: it may be a venv's link
    if not arguments.peer_python.is_file():
        sys.exit(
            f"{arguments.peer_python}: no such file. Make the peer's environment:\n"
            "  python3.11 -m venv .venv-huggingface\n"
            "  .venv-huggingface/bin/pip install -r benchmarks/huggingface/requirements.txt\n"
            "or name the Python of another with --peer-python"
        )
    return arguments


def _measure(name: str, arguments: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    with Progress(console) as progress:
        data = prepare(CONFIGS[name], progress)
    weights, limit = fetch("minilm_l6"), arguments.limit
    texts, _ = read_rows(data / TRAIN, limit)
    lengths = Lengths.of(texts, weights / "vocab.txt", _MAX_LENGTH)

    def tell(line: str) -> None:
        console.print(f"  {line}", highlight=False)

    tell(f"{name}: {len(texts)} texts, {lengths}")
    python = arguments.peer_python
    chosen = {
        OURS: contenders.ours([arguments.precision] if arguments.precision else PRECISIONS),
        BEST: contenders.best(
            python, [arguments.peer_mode] if arguments.peer_mode else list(BEST_MODES)
        ),
    }
    fastest = {key: _fastest(v, data, weights, len(texts), tell) for key, v in chosen.items()}
    plain_rows = contenders.whole_batches(len(texts), arguments.peer_fraction)
    plain = contenders.plain(python)
    results = alternate(
        {
            OURS: lambda seed: fastest[OURS].run(data, weights, seed, limit),
            PLAIN: lambda seed: plain.run(data, weights, seed, plain_rows),
            BEST: lambda seed: fastest[BEST].run(data, weights, seed, limit),
        },
        arguments.rounds,
        tell,
    )
    names = {OURS: fastest[OURS].name, PLAIN: plain.name, BEST: fastest[BEST].name}
    return _report(name, len(texts), names, results)


def _fastest(
    variants: Sequence[Contender], data: Path, weights: Path, examples: int, tell: Tell
) -> Contender:
    """The variant whose epoch, judged by a probe of its first batches, is the shortest."""
    if len(variants) == 1:
        return variants[0]
    seconds = {}
    for variant in variants:
        probe = variant.run(data, weights, 0, min(_PROBE, examples))
        seconds[variant] = probe.projected(examples)
        tell(f"probe of {variant.name}: an epoch would take {seconds[variant]:.0f} s")
    return min(variants, key=seconds.__getitem__)


def _report(
    name: str, examples: int, names: dict[str, str], results: dict[str, list[Result]]
) -> list[dict[str, Any]]:
    """Prints the table of one data set; gives its rows for the JSON."""
    updates = {result.updates for key in (OURS, BEST) for result in results[key]}
    if len(updates) > 1:
        raise RuntimeError(f"the contenders made different numbers of updates: {sorted(updates)}")
    seconds = {
        key: [result.seconds * examples / result.examples for result in rounds]
        for key, rounds in results.items()
    }
    # Of a part of an epoch the test accuracy says nothing.
    accuracies = {
        key: [result.accuracy for result in rounds if result.examples == examples]
        for key, rounds in results.items()
    }
    rows = {
        key: compare(
            "finetune_throughput",
            f"{name}, {examples} texts, {names[key]}",
            seconds[OURS],
            seconds[key],
            "s",
        )
        | {"ours_name": names[OURS]}
        | {"accuracy": {"ours": accuracies[OURS], "peer": accuracies[key]}}
        for key in (PLAIN, BEST)
    }
    columns = {
        key: [
            *_figures(results[key], seconds[key], examples),
            _interval(accuracies[key]),
            _ratio(rows.get(key)),
        ]
        for key in results
    }
    table = Table("", *(names[key] for key in columns), title=name)
    for cells in zip(_FIGURES, *columns.values(), strict=True):
        table.add_row(*cells)
    console = Console()
    console.print(table)
    for key in rows:
        console.print(_verdict(names[key], accuracies[OURS], accuracies[key]), highlight=False)
    return list(rows.values())


def _figures(rounds: list[Result], seconds: list[float], examples: int) -> list[str]:
    """A cell for each of `_FIGURES` but the last two."""
    first = rounds[0]
    scaled = "" if first.examples == examples else f", scaled from {first.updates} updates"
    return [
        spread(seconds) + scaled,
        f"{examples / statistics.median(seconds):.1f}",
        f"{first.updates:,}",
        f"{first.tokens:,}",
        f"{1 - first.tokens / first.positions:.1%}",
        f"{max(result.peak_mb for result in rounds):,.0f}",
    ]


def _ratio(row: dict[str, Any] | None) -> str:
    return f"{row['ratio']:.2f} ({row['ratio_min']:.2f} – {row['ratio_max']:.2f})" if row else ""


def _interval(accuracies: list[float]) -> str:
    if len(accuracies) < 2:
        return f"{accuracies[0]:.3f}" if accuracies else "–"
    mean, low, high = mean_interval(accuracies)
    return f"{mean:.3f} ({low:.3f} – {high:.3f})"


def _verdict(peer: str, ours: list[float], theirs: list[float]) -> str:
    """Whether the accuracies of both, over the seeds, are within noise of each other."""
    if min(len(ours), len(theirs)) < 2:
        return f"accuracy beside {peer}: too few whole epochs to compare"
    (_, low, high), (_, peer_low, peer_high) = mean_interval(ours), mean_interval(theirs)
    overlap = "overlap" if low <= peer_high and peer_low <= high else "do NOT overlap"
    return f"accuracy beside {peer}: the 95 % intervals over {len(ours)} seeds {overlap}"


if __name__ == "__main__":
    main()
