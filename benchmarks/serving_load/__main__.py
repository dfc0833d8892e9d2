"""The development server under load: latency and throughput, beside a Hugging Face pipeline and no server.

`python -m benchmarks.serving_load --rounds 5 --json FILE`

MiniLM-L6 with a linear head, cut at 256 ids, is asked for abstracts of PubMed, one a request, by 1, 8, 32
and 64 clients that keep their connections and send the next request when the last is answered. The same
clients ask our server over gRPC and over REST, and the peer: Transformers' pipeline behind FastAPI and
uvicorn, all in processes of their own on the same cores. The SavedModel in process is run by as many
threads as there are cores, each with clients / cores texts at a time. They take turns. Loopback only.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.alternating import alternate, compare, spread
from benchmarks.serving_load import processes
from benchmarks.serving_load.clients import MODEL, Measured, Order
from serving.process import ServerProcess

OURS = ("gRPC", "REST")
PEER, IN_PROCESS = "Hugging Face", "in process"
CORES = len(os.sched_getaffinity(0))
_CONFIG = Path("configs/pubmed_disease_area.yaml")
# A batch is what waits while the threads are busy, with no pause for more to come.
_BATCHING = "batch_timeout_micros { value: 0 }\nmax_enqueued_batches { value: 1000 }\n"


@dataclasses.dataclass(frozen=True)
class Turn:
    """What was measured once.

    Attributes:
        cost: milliseconds a request, the inverse of the throughput.
        cpu: milliseconds of processor time a request, of whoever answers it.
        latencies: p50, p95, p99 in milliseconds; none in process.
        client_cpu: milliseconds of processor time a request, of the clients.
    """

    cost: float
    cpu: float
    latencies: tuple[float, float, float] | None = None
    client_cpu: float | None = None


@dataclasses.dataclass(frozen=True)
class Target:
    """A server: a kind of `clients.CONNECTIONS`, "HOST:PORT" and its process."""

    kind: str
    address: str
    pid: int


@dataclasses.dataclass(frozen=True)
class Contenders:
    """Whoever takes turns, ready to be asked.

    Attributes:
        clients: the process of the clients.
        targets: by name.
        in_process: the process that has the model without a server.
        seconds: that are measured, each time.
        warm_up_seconds: before them.
    """

    clients: processes.Worker
    targets: dict[str, Target]
    in_process: processes.Worker
    seconds: float
    warm_up_seconds: float

    def served(self, name: str, clients: int) -> Turn:
        """Load on one of the targets."""
        target = self.targets[name]
        order = Order(target.kind, target.address, clients, self.seconds, self.warm_up_seconds)
        before = processes.cpu_seconds(target.pid)
        measured = Measured(**self.clients.ask(**dataclasses.asdict(order)))
        cpu = 1e3 * (processes.cpu_seconds(target.pid) - before) / measured.sent
        cost = 1e3 * measured.seconds / measured.requests
        return Turn(cost, cpu, measured.latencies, measured.client_cpu_ms)

    def unserved(self, clients: int) -> Turn:
        """The model in process, with batches as large as the clients could fill."""
        threads = min(CORES, clients)
        answer = self.in_process.ask(
            rows=max(1, clients // threads),
            threads=threads,
            seconds=self.seconds,
            warm_up_seconds=self.warm_up_seconds,
        )
        return Turn(1e3 * answer["seconds"] / answer["texts"], answer["cpu_ms"])


def main() -> None:
    """Measures and prints a table."""
    arguments = _arguments()
    # After the arguments: these take seconds.
    from benchmarks.finetune_throughput.prepare import prepare
    from benchmarks.serving_load.model import CLASSES, export_minilm, write_texts
    from pipeline.datasets.fetch import cache_folder, fetch
    from pipeline.logs import quiet
    from pipeline.progress import Progress

    rows: list[dict[str, Any]] = []
    with (
        quiet(cache_folder() / "benchmarks" / "log.txt") as console,
        tempfile.TemporaryDirectory() as folder,
    ):
        scratch = Path(folder)
        with Progress(console) as progress:
            data = prepare(_CONFIG, progress)
        texts = scratch / "texts.json"
        write_texts(data, texts)
        version = scratch / MODEL / "1"
        export_minilm(fetch("minilm_l6"), version)
        peer: list[object] = ["--weights", fetch("minilm_l6"), "--classes", CLASSES]
        peer += ["--threads", arguments.peer_threads] if arguments.peer_threads else []

        def tell(line: str) -> None:
            console.print(f"  {line}", highlight=False)

        with contenders(version, texts, arguments, peer) as ready:
            for count in arguments.clients:
                rows += measure(ready, count, arguments.rounds, tell)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="that are measured, each time")
    parser.add_argument("--warm-up", type=float, default=2.0, help="seconds before them")
    parser.add_argument(
        "--batch-rows",
        type=int,
        default=8,
        help="of our server at most (8: some batches wait while others run); 0 does not batch",
    )
    parser.add_argument("--flag", action="append", default=[], help="NAME=VALUE for our server")
    parser.add_argument("--peer-python", type=Path, default=Path(".venv-huggingface/bin/python"))
    parser.add_argument("--peer-threads", type=int, help="of PyTorch, a request; all cores")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    arguments.peer_python = arguments.peer_python.absolute()  # not resolved: it may be a link
    if not arguments.peer_python.is_file():
        sys.exit(
            f"{arguments.peer_python}: no such file. Make the peer's environment:\n"
            "  python3.11 -m venv .venv-huggingface\n"
            "  .venv-huggingface/bin/pip install -r benchmarks/huggingface/requirements.txt\n"
            "or name the Python of another with --peer-python"
        )
    if wrong := [flag for flag in arguments.flag if "=" not in flag]:
        parser.error(f"--flag takes NAME=VALUE, not {wrong[0]}")
    return arguments


@contextlib.contextmanager
def contenders(
    version: Path, texts: Path, arguments: argparse.Namespace, peer: Sequence[object]
) -> Iterator[Contenders]:
    """Starts whoever takes turns, for the time of a `with` block."""
    flags: dict[str, object] = {}
    if arguments.batch_rows:
        batching = texts.parent / "batching_parameters.txt"
        batching.write_text(f"max_batch_size {{ value: {arguments.batch_rows} }}\n{_BATCHING}")
        flags |= {"enable_batching": "true", "batching_parameters_file": batching}
    flags |= dict(flag.split("=", 1) for flag in arguments.flag)
    with (
        ServerProcess(version.parent, MODEL, ready_seconds=300, flags=flags) as server,
        processes.Pipeline(arguments.peer_python, peer) as pipeline,
        processes.in_process(version, texts) as in_process,
        processes.clients(texts) as clients,
    ):
        targets = {
            "gRPC": Target("grpc", server.grpc_target, server.pid),
            "REST": Target("rest", server.rest_target, server.pid),
            PEER: Target("pipeline", pipeline.target, pipeline.pid),
        }
        ready = Contenders(clients, targets, in_process, arguments.seconds, arguments.warm_up)
        for name in targets:  # a graph's first run takes seconds, in which TensorFlow optimizes it
            ready.served(name, CORES)
        ready.unserved(CORES)
        yield ready


def measure(
    ready: Contenders, clients: int, rounds: int, tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Measures all with so many clients, prints a table and gives the rows for the JSON."""
    contenders: dict[str, Callable[[int], Turn]] = {
        name: lambda _, name=name: ready.served(name, clients) for name in ready.targets
    }
    contenders[IN_PROCESS] = lambda _: ready.unserved(clients)
    turns = alternate(contenders, rounds, lambda line: tell(f"{clients} clients, {line}"))
    Console().print(table(clients, turns))
    return json_rows(clients, turns)


def json_rows(clients: int, turns: dict[str, list[Turn]]) -> list[dict[str, Any]]:
    """The rows for the JSON, of each contender's turns."""
    rows = []
    for ours in OURS:
        for what, cost, others in (
            ("a request", lambda turn: turn.cost, (PEER, IN_PROCESS)),
            ("processor time", lambda turn: turn.cpu, (PEER, IN_PROCESS)),
            ("p50", lambda turn: turn.latencies[0], (PEER,)),
            ("p99", lambda turn: turn.latencies[2], (PEER,)),
        ):
            for other in others:
                mine, theirs = ([cost(turn) for turn in turns[name]] for name in (ours, other))
                work = f"{clients} clients, {ours}, {what} beside {other}"
                rows.append(compare("serving_load", work, mine, theirs, "ms"))
    return rows


def table(clients: int, turns: dict[str, list[Turn]]) -> Table:
    """The table of one number of clients."""
    heads = ("requests/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "clients' CPU ms")
    figures = Table("", *heads, title=f"{clients} clients")
    for name, those in turns.items():
        latencies = [turn.latencies for turn in those if turn.latencies]
        client_cpu = [turn.client_cpu for turn in those if turn.client_cpu is not None]
        figures.add_row(
            f"ours, {name}" if name in OURS else name,
            spread([1e3 / turn.cost for turn in those]),
            *(f"{statistics.median(column):.0f}" for column in zip(*latencies, strict=True)),
            *([] if latencies else ["", "", ""]),
            f"{statistics.median(turn.cpu for turn in those):.1f}",
            f"{statistics.median(client_cpu):.2f}" if client_cpu else "",
        )
    return figures


if __name__ == "__main__":
    main()
