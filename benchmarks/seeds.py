"""Test accuracy of a config over several seeds, beside the baselines on the same split.

`python -m benchmarks.seeds --config configs/pubmed_disease_area.yaml --seeds 5`

Every seed is a run of the line in which only `training.seed` differs, so all before the Trainer is
cached, and a benchmark that was stopped goes on where it was.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.text_baselines import fit_baselines, read_split
from components.evaluator import intervals
from pipeline.config_loader import load_config
from pipeline.configs import PipelineConfig
from pipeline.logs import quiet
from pipeline.progress import Progress
from pipeline.run import new_run_id, run

METRICS = ("accuracy", "macro_f1")


def mean_interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and its 95 % interval by Student's t, as (mean, low, high); needs two values or more."""
    return intervals.known(intervals.mean(np.array(values)))


def main() -> None:
    """Runs the seeds, fits the baselines, prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    config = load_config(PipelineConfig, arguments.config)
    with quiet(Path(config.root, config.name, "log.txt")) as console:
        summaries = [_run_seed(arguments.config, seed, console) for seed in range(arguments.seeds)]
    if failed := [s for s in summaries if "test" not in s["metrics"]]:
        sys.exit(f"{len(failed)} runs gave no test metrics: {failed[0]['error']}")
    ours = {name: [s["metrics"]["test"][name] for s in summaries] for name in METRICS}
    examples = Path(_examples_uri(summaries[0]))
    train = [read_split(examples, split) for split in ("train", "eval")]
    texts, labels = ([*train[0][i], *train[1][i]] for i in (0, 1))
    baselines = fit_baselines(texts, labels, *read_split(examples, "test"))
    _print(Console(), config.name, ours, baselines)
    if arguments.json:
        row = {"name": config.name, "ours": ours, "peer": baselines}
        arguments.json.write_text(json.dumps(row, indent=1) + "\n")


def _run_seed(config: Path, seed: int, console: Console) -> dict:
    settings = load_config(PipelineConfig, config, [f"training.seed={seed}"])
    console.print(f"[bold]seed {seed}[/]")
    with Progress(console) as progress:
        return run(settings, new_run_id(), progress)


def _examples_uri(summary: dict) -> str:
    artifacts = summary["artifacts"].items()
    return next(uris[0] for name, uris in artifacts if name.endswith("ExampleGen.examples"))


def _print(console: Console, name: str, ours: dict[str, list[float]], baselines: dict) -> None:
    table = Table("model", *(f"test {metric} (95 %)" for metric in METRICS), title=name)
    for peer, figures in baselines.items():
        cells = [(figures[m], *figures[f"{m}_interval"]) for m in METRICS]
        table.add_row(f"{peer}, interval over examples", *(_cell(*cell) for cell in cells))
    cells = [mean_interval(ours[metric]) for metric in METRICS]
    table.add_row(f"ours, mean of {len(ours['accuracy'])} seeds", *(_cell(*cell) for cell in cells))
    console.print(table)
    console.print("each seed:", ", ".join(f"{value:.4f}" for value in ours["accuracy"]))


def _cell(value: float, low: float, high: float) -> str:
    return f"{value:.3f} ({low:.3f} – {high:.3f})"


if __name__ == "__main__":
    main()
