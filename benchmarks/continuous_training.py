"""Five spans of PubMed come in one after the other: python -m benchmarks.continuous_training [--json FILE].

The labelled abstracts of the PubMed sample are dealt out to five spans. The labels of the third are shuffled,
and the fourth holds mostly one area. Each span is put where `configs/pubmed_continuous.yaml` looks, and then
what `python -m pipeline continuous` does is done. What was killed goes on with the same command; remove
`runs/pubmed_continuous` to start anew.
"""

import argparse
import json
import random
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from pipeline.config_loader import load_config
from pipeline.configs import PipelineConfig, local_paths
from pipeline.logs import quiet

CONFIG = Path("configs/pubmed_continuous.yaml")
LABELS = Path("configs/pubmed_disease_area_demo.yaml")  # whose classes are learned
SPANS, POISONED, DRIFTED = 5, 3, 4
_DRIFTED_AREA, _OF_THE_AREA, _OF_OTHERS = "Cardiovascular Diseases", 250, 80

Row = dict[str, str]


def read_rows() -> list[Row]:
    """The labelled abstracts of the PubMed sample, in the order of their PMIDs."""
    from components.example_gen.records import Record
    from components.medline_example_gen.executor import MedlineReader
    from pipeline.inputs import data_folder

    data = load_config(PipelineConfig, LABELS, []).data
    assert data.medline is not None
    reader = MedlineReader(data.medline)
    records = [
        record
        for path in sorted(data_folder(data).glob(data.medline.pattern))
        for record in reader.read(str(path))
        if isinstance(record, Record)
    ]
    return [
        {
            "pmid": record.key,
            "text": record.text,
            "label": str(record.label),
            "journal": str(record.features["journal"][0]),
        }
        for record in sorted(records, key=lambda record: int(record.key))
    ]


def deal(rows: list[Row], seed: int = 0) -> dict[int, list[Row]]:
    """The rows of each span, by its number; no row is in two of them.

    Args:
        rows: all of them.
        seed: of the dealing and of the shuffled labels.
    """
    rng = random.Random(seed)
    rows = list(rows)
    rng.shuffle(rows)
    area = [row for row in rows if row["label"] == _DRIFTED_AREA][:_OF_THE_AREA]
    others = [row for row in rows if row["label"] != _DRIFTED_AREA][:_OF_OTHERS]
    taken = {row["pmid"] for row in [*area, *others]}
    rest = [row for row in rows if row["pmid"] not in taken]
    numbers = [number for number in range(1, SPANS + 1) if number != DRIFTED]
    spans = {number: rest[i :: len(numbers)] for i, number in enumerate(numbers)}
    labels = [row["label"] for row in spans[POISONED]]
    rng.shuffle(labels)
    spans[POISONED] = [
        {**row, "label": label} for row, label in zip(spans[POISONED], labels, strict=True)
    ]
    return spans | {DRIFTED: [*area, *others]}


def arrivals(spans: dict[int, list[Row]], folder: Path) -> Iterator[int]:
    """Writes one span after the other, whole before it is seen, and yields its number; those that are there
    are left as they are.
    """
    for number, rows in sorted(spans.items()):
        if (folder / f"span-{number}").exists():
            yield number
            continue
        part = folder / f".span-{number}.part"
        part.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (part / "records.jsonl").write_text("\n".join(lines) + "\n")
        part.rename(folder / f"span-{number}")
        yield number


def main() -> None:
    """Runs all spans and prints what was decided."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path, help="also write the decisions there")
    arguments = parser.parse_args()
    config = load_config(PipelineConfig, arguments.config, arguments.set)
    base, folder = local_paths(config)["runs"], Path(str(config.data.path))
    began = time.monotonic()
    with quiet(base / "log.txt") as console:
        _run_all(config, folder, console)
        from pipeline.continuous.ledger import Ledger
        from pipeline.continuous.table import decisions_table

        decisions = Ledger(config).decisions()
        output = Console()
        output.print(decisions_table(decisions))
        usage = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = usage.ru_utime + usage.ru_stime + children.ru_utime + children.ru_stime
        output.print(
            f"{time.monotonic() - began:.0f} s wall, {processor:.0f} s of processor time",
            style="dim",
        )
    if arguments.json:
        text = json.dumps([decision.model_dump(mode="json") for decision in decisions], indent=1)
        arguments.json.write_text(text + "\n")


def _run_all(config: PipelineConfig, folder: Path, console: Console) -> None:
    from pipeline.continuous.command import run_continuously
    from pipeline.progress import Progress
    from pipeline.run import new_run_id, run

    def run_line(settings: PipelineConfig) -> dict:
        with Progress(console) as progress:
            return run(settings, new_run_id(), progress)

    for number in arrivals(deal(read_rows()), folder):
        console.rule(f"span {number} has come")
        run_continuously(config, run_line, console)


if __name__ == "__main__":
    main()
