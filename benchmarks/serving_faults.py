"""The server under swaps and over time: what must not happen, on a model of your choice.

    python -m benchmarks.serving_faults swaps --model MODEL_FOLDER/VERSION
    python -m benchmarks.serving_faults soak --model MODEL_FOLDER/VERSION --minutes 5

`swaps` copies the version in as the next one, ten times, while clients ask without a pause; between
them come a half-copied and a corrupt version. It fails if one request fails, if a broken version is
served, or if one is not explained. `soak` asks for some minutes and fails if the server's memory still
grows after the first third. Without --model, the conformance suite's toy model is served.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent import futures
from pathlib import Path

import httpx

from benchmarks.serving_fuzz import resident_mib
from serving.client import Client
from serving.process import ServerProcess
from serving.transports import ClientError

_MODEL = "model"
_TEXTS = ("Effect of aspirin on recurrent stroke.", "", "é😀 " * 50, "carcinoma " * 300)
_WAIT_SECONDS = 120


class Load:
    """Clients that ask, half of them over gRPC, half over REST, until told to stop."""

    def __init__(self, server: ServerProcess, clients: int):
        self.answered = 0
        self.errors: list[str] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._server = server
        self._clients = clients

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Asks for the time of a `with` block."""
        with futures.ThreadPoolExecutor(self._clients) as pool:
            for number in range(self._clients):
                pool.submit(self._ask, number)
            try:
                yield
            finally:
                self._stop.set()

    def _ask(self, number: int) -> None:
        rest = number % 2 == 1
        target = self._server.rest_target if rest else self._server.grpc_target
        # The client asks again only who is UNAVAILABLE or full; what a swap could do wrong is final.
        with Client(target, _MODEL, "rest" if rest else "grpc", deadline_seconds=30) as client:
            turn = number
            while not self._stop.is_set():
                turn += 1
                try:
                    client.predict([_TEXTS[turn % len(_TEXTS)]])
                except ClientError as error:
                    with self._lock:
                        self.errors.append(str(error))
                else:
                    with self._lock:
                        self.answered += 1


def swaps(model: Path, folder: Path, count: int, clients: int) -> list[str]:
    """Swaps versions under load; returns what went wrong."""
    wrong: list[str] = []
    _push(model, folder, 1)
    flags = {"max_num_load_retries": 0}
    with ServerProcess(folder, _MODEL, ready_seconds=_WAIT_SECONDS, flags=flags) as server:
        load = Load(server, clients)
        with load.running():
            for version in range(2, 2 * count + 2):
                if version % 2:
                    _push(model, folder, version)
                    wrong += _expect(server, version, "AVAILABLE")
                    continue
                _push(model, folder, version, half=version % 4 == 0)
                wrong += _expect(server, version, "END")
        wrong += [f"a request failed: {error}" for error in load.errors]
        print(f"{count} swaps, {count} broken versions, {load.answered} requests answered, "
              f"{len(load.errors)} failed")  # fmt: skip
        if not load.answered:
            wrong.append("no request was answered")
    return wrong


def soak(model: Path, folder: Path, minutes: float, clients: int) -> list[str]:
    """Asks for some time; returns what went wrong."""
    _push(model, folder, 1)
    with ServerProcess(folder, _MODEL, ready_seconds=_WAIT_SECONDS) as server:
        load = Load(server, clients)
        samples = []
        with load.running():
            for _ in range(12):
                time.sleep(minutes * 60 / 12)
                samples.append(resident_mib(server.pid))
    print("memory, MiB:", " ".join(f"{sample:.0f}" for sample in samples))
    print(f"{load.answered} requests answered, {len(load.errors)} failed")
    wrong = [f"a request failed: {error}" for error in load.errors]
    early, late = max(samples[:4]), max(samples[-4:])
    if late > 1.05 * early:
        wrong.append(f"memory grew from {early:.0f} to {late:.0f} MiB")
    return wrong


def _push(model: Path, folder: Path, version: int, half: bool | None = None) -> None:
    """A version by copy and rename; `half` True without its variables, False with a cut graph."""
    beside = folder / f"beside-{version}"
    shutil.copytree(model, beside)
    if half is True:
        shutil.rmtree(beside / "variables")
    elif half is False:
        graph = beside / "saved_model.pb"
        graph.write_bytes(graph.read_bytes()[:-100])
    beside.rename(folder / str(version))


def _expect(server: ServerProcess, version: int, state: str) -> list[str]:
    """Waits for a version's state; a version that ended must say why."""
    url = f"http://{server.rest_target}/v1/models/{_MODEL}/versions/{version}"
    status: dict = {}
    for _ in range(_WAIT_SECONDS * 10):
        response = httpx.get(url, timeout=30)
        if response.status_code == 200:
            [status] = response.json()["model_version_status"]
            if status["state"] in ("AVAILABLE", "END"):
                break
        time.sleep(0.1)
    if status.get("state") != state:
        return [f"version {version} is {status or 'unknown'}, not {state}"]
    if state == "END" and not status["status"]["error_message"]:
        return [f"version {version} ended without a reason"]
    return []


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=["swaps", "soak"])
    parser.add_argument("--model", type=Path, help="a version: the folder with saved_model.pb")
    parser.add_argument("--count", type=int, default=10, help="swaps")
    parser.add_argument("--minutes", type=float, default=5.0, help="of the soak")
    parser.add_argument("--clients", type=int, default=4)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        model = arguments.model or _toy(Path(scratch))
        served = Path(scratch) / "served"
        served.mkdir()
        if arguments.what == "swaps":
            wrong = swaps(model, served, arguments.count, arguments.clients)
        else:
            wrong = soak(model, served, arguments.minutes, arguments.clients)
    for line in wrong[:20]:
        print(f"WRONG {line}")
    return int(bool(wrong))


def _toy(folder: Path) -> Path:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "serving"))
    import toy_models

    return toy_models.export_toy(folder, 1)


if __name__ == "__main__":
    sys.exit(main())
