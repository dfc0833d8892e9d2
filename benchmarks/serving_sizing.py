"""What a replica needs: processor time and memory, by text length, rows of a run, clients and batching.

    python -m benchmarks.serving_sizing --model runs/NAME/serving/NAME/VERSION

First the model alone, in this process: processor time for a text. Then the development server, with the
batching of serving/deploy and without, asked over gRPC by clients that each wait for an answer before they
ask again: processor time of the server for a request, and its memory. Unlike wall time, processor time is
about the same on a machine that others use too. docs/sizing.md says what follows.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path

import rich.console
import rich.table

from benchmarks.serving_fuzz import resident_mib
from serving.client import Client
from serving.process import ServerProcess

_ROOT = Path(__file__).parents[1]
_MODEL = "model"
_WORD = "cell "  # one token of any BERT vocabulary of English


def model_alone(model: Path, lengths: Sequence[int], rows: Sequence[int]) -> rich.table.Table:
    """Processor milliseconds for a text, for each length in words and each number of texts in a run."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  registers the tokenizer's operations

    before = resident_mib(os.getpid())
    answer = tf.saved_model.load(str(model)).signatures["serving_text"]
    table = rich.table.Table("words", *(f"{count} in a run" for count in rows))
    for length in lengths:
        cells = []
        for count in rows:
            texts = tf.constant([_WORD * length] * count)
            answer(text=texts)  # traces, and fills caches
            repeats = max(3, 48 // count)
            began = time.process_time()
            for _ in range(repeats):
                answer(text=texts)
            cells.append(f"{(time.process_time() - began) / repeats / count * 1e3:.1f}")
        table.add_row(str(length), *cells)
    grown = resident_mib(os.getpid()) - before
    table.title = "processor milliseconds for a text"
    table.caption = f"{grown:.0f} MiB taken by the model and its largest run"
    return table


def server(
    model: Path, length: int, clients: Sequence[int], requests: int, threads: int
) -> rich.table.Table:
    """The development server with and without batching, for each number of clients."""
    table = rich.table.Table(
        "batching", "clients", "ms processor", "requests/s", "p50 ms", "p99 ms", "MiB"
    )
    table.title = f"a request of one text of {length} words"
    settings = _ROOT / "serving" / "deploy" / "settings"
    parallelism = {
        "tensorflow_intra_op_parallelism": threads,
        "tensorflow_inter_op_parallelism": threads,
    }
    batching = {
        "enable_batching": "true",
        "batching_parameters_file": settings / "batching_parameters.txt",
    }
    for name, flags in {"no": parallelism, "yes": parallelism | batching}.items():
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "1").symlink_to(model.resolve())
            with ServerProcess(folder, _MODEL, 300, flags) as process:
                _ask(process, _WORD * length, 2, 8)
                for count in clients:
                    spent = processor_seconds(process.pid)
                    began = time.monotonic()
                    seconds = _ask(process, _WORD * length, count, requests)
                    wall = time.monotonic() - began
                    spent = processor_seconds(process.pid) - spent
                    table.add_row(
                        name,
                        str(count),
                        f"{spent / requests * 1e3:.1f}",
                        f"{requests / wall:.1f}",
                        f"{statistics.median(seconds) * 1e3:.0f}",
                        f"{statistics.quantiles(seconds, n=100)[98] * 1e3:.0f}",
                        f"{resident_mib(process.pid):.0f}",
                    )
    return table


def _ask(process: ServerProcess, text: str, clients: int, requests: int) -> list[float]:
    """Seconds that each request took."""

    def one_client(count: int) -> list[float]:
        seconds = []
        with Client(process.grpc_target, _MODEL, deadline_seconds=300) as client:
            for _ in range(count):
                began = time.monotonic()
                client.predict([text])
                seconds.append(time.monotonic() - began)
        return seconds

    shares = [requests // clients + (number < requests % clients) for number in range(clients)]
    with futures.ThreadPoolExecutor(clients) as pool:
        return [second for seconds in pool.map(one_client, shares) for second in seconds]


def processor_seconds(pid: int) -> float:
    """Of all threads of a process, in user and system mode (proc(5), /proc/PID/stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--model", type=Path, required=True, help="a version: the folder with saved_model.pb"
    )
    parser.add_argument(
        "--words", type=int, nargs="+", default=[14, 62, 254], help="lengths of texts"
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8, 32], help="texts in a run")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--requests", type=int, default=128, help="for each number of clients")
    parser.add_argument("--threads", type=int, default=2, help="of the server")
    arguments = parser.parse_args(argv)
    console = rich.console.Console()
    console.print(model_alone(arguments.model, arguments.words, arguments.rows))
    length = sorted(arguments.words)[len(arguments.words) // 2]
    console.print(
        server(arguments.model, length, arguments.clients, arguments.requests, arguments.threads)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
