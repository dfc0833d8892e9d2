"""Peak memory and time of the MEDLINE ingest as its input grows.

`python -m benchmarks.ingest_memory --input FOLDER --copies 1,5,20`

Every citation with an abstract is kept and written, so the output grows with the input.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import rich.table


def measure(folder: Path, copies: int) -> dict[str, float]:
    """Ingests `copies` links to each file of a folder, in a process of its own.

    Returns:
        `records` read, `seconds` of the ingest, `start_mb` and `peak_mb` of resident memory: when
        everything is imported, and at most.
    """
    with tempfile.TemporaryDirectory() as scratch:
        links = Path(scratch, "input")
        links.mkdir()
        for number in range(copies):
            for path in sorted(folder.glob("*.xml*")):
                (links / f"{number:03}-{path.name}").symlink_to(path.resolve())
        receiver, sender = multiprocessing.Pipe(duplex=False)
        # Spawned from this small process: a child's peak begins at what its parent holds.
        process = multiprocessing.get_context("spawn").Process(
            target=_ingest, args=(str(links), scratch, sender)
        )
        process.start()
        sender.close()
        try:
            return receiver.recv()
        finally:
            process.join()


def _ingest(folder: str, scratch: str, result: Connection) -> None:
    from tfx.proto import example_gen_pb2
    from tfx.types import standard_artifacts
    from tfx.utils import proto_utils

    from components.example_gen.quarantine import Quarantine, read_counts
    from components.medline_example_gen.config import MedlineConfig
    from components.medline_example_gen.executor import MedlineExecutor

    config = MedlineConfig()
    examples, quarantine = standard_artifacts.Examples(), Quarantine()
    examples.uri, quarantine.uri = f"{scratch}/examples", f"{scratch}/quarantine"
    for artifact in (examples, quarantine):
        Path(artifact.uri).mkdir()
    split = example_gen_pb2.Input.Split(name="all", pattern=config.pattern)
    properties = {
        "input_base": folder,
        "input_config": proto_utils.proto_to_json(example_gen_pb2.Input(splits=[split])),
        "reader_config": config.model_dump_json(),
    }
    start_mb, start = _peak_mb(), time.perf_counter()
    executor = MedlineExecutor(MedlineExecutor.Context())
    executor.Do({}, {"examples": [examples], "quarantine": [quarantine]}, properties)
    result.send(
        {
            "records": read_counts(quarantine.uri).read,
            "seconds": round(time.perf_counter() - start, 1),
            "start_mb": start_mb,
            "peak_mb": _peak_mb(),
        }
    )


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def main() -> None:
    """Prints a table, and the figures as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, required=True, help="folder with .xml or .xml.gz")
    parser.add_argument("--copies", default="1,5,20", help="how often to read it (1,5,20)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    if not any(arguments.input.glob("*.xml*")):
        parser.error(f"{arguments.input}: no .xml or .xml.gz file there")

    table = rich.table.Table("copies", "records", "seconds", "MB at start", "MB at most")
    rows = []
    for copies in map(int, arguments.copies.split(",")):
        figures = measure(arguments.input, copies)
        rows.append({"name": "ingest_memory", "work": f"{copies} copies", **figures})
        table.add_row(str(copies), *map(str, figures.values()))
    rich.print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
