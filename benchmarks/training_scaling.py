"""Training time as the data grows: an eighth, a quarter, a half and all of the PubMed abstracts.

`python -m benchmarks.training_scaling --rounds 3 --json FILE`

One epoch each, as in finetune_throughput. A cost that is linear in the tokens leaves µs per token equal,
but for what is paid once (tracing); the line fitted to the medians tells the two apart.
"""

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.alternating import alternate, compare, spread
from benchmarks.finetune_throughput import contenders
from benchmarks.finetune_throughput.contenders import Result
from benchmarks.finetune_throughput.data import TRAIN, read_rows
from benchmarks.finetune_throughput.prepare import prepare
from pipeline.datasets.fetch import cache_folder, fetch
from pipeline.logs import quiet
from pipeline.progress import Progress

CONFIG = Path("configs/pubmed_disease_area_demo.yaml")
PARTS = (8, 4, 2, 1)


def fit_line(tokens: list[float], seconds: list[float]) -> tuple[float, float, float]:
    """Least squares of seconds = fixed + rate · tokens.

    Returns:
        `fixed` in seconds, `rate` in seconds a token, and the largest deviation from the line, as a share
        of the measured time.
    """
    rate, fixed = np.polyfit(tokens, seconds, 1)
    deviations = np.abs(fixed + rate * np.array(tokens) - seconds) / seconds
    return float(fixed), float(rate), float(deviations.max())


def main() -> None:
    """Prints a table, and the figures as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--precision", choices=("float32", "mixed_bfloat16"), default="float32", help="(float32)"
    )
    parser.add_argument("--limit", type=int, help="the first N rows only: to try it out")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    with quiet(cache_folder() / "benchmarks" / "log.txt") as console:
        with Progress(console) as progress:
            data = prepare(CONFIG, progress)
        weights = fetch("minilm_l6")
        sizes = [len(read_rows(data / TRAIN, arguments.limit)[0]) // part for part in PARTS]
        [contender] = contenders.ours([arguments.precision])
        results = alternate(
            {
                f"{size} examples": lambda seed, size=size: contender.run(data, weights, seed, size)
                for size in sizes
            },
            arguments.rounds,
            lambda line: console.print(f"  {line}", highlight=False),
        )
    rows = _report(contender.name, results)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _report(name: str, results: dict[str, list[Result]]) -> list[dict]:
    """Prints the table; in the rows for the JSON the peer of each size is the smallest."""
    table = Table("", "updates", "tokens", "seconds", "µs/token", title=name)
    costs = {
        work: [1e6 * result.seconds / result.tokens for result in rounds]
        for work, rounds in results.items()
    }
    smallest = next(iter(costs.values()))
    rows = [compare("training_scaling", w, c, smallest, "µs/token") for w, c in costs.items()]
    tokens, seconds = [], []
    for work, rounds in results.items():
        first, times = rounds[0], [result.seconds for result in rounds]
        tokens.append(first.tokens)
        seconds.append(statistics.median(times))
        figures = (f"{first.updates:,}", f"{first.tokens:,}", spread(times), spread(costs[work]))
        table.add_row(work, *figures)
    fixed, rate, deviation = fit_line(tokens, seconds)
    console = Console()
    console.print(table)
    console.print(
        f"{fixed:.1f} s + {1e6 * rate:.1f} µs a token; no size is further than {deviation:.1%} from it",
        highlight=False,
    )
    return rows


if __name__ == "__main__":
    main()
