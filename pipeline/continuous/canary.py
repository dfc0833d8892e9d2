"""The canary's trial: both versions answer recent texts, through a server as users have it."""

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.evaluator.intervals import paired_difference
from components.example_files import read_columns
from components.pusher.history import CANARY, STABLE
from components.pusher.models_config import models_config
from components.pusher.store import Store
from pipeline.configs import PipelineConfig, local_paths
from pipeline.continuous.canary_report import Answered, CanaryReport
from serving.client import Client, Prediction
from serving.process import ServerProcess
from serving.transports import ClientError

_READY_SECONDS = 300.0
_DEADLINE_SECONDS = 60.0


def try_canary(config: PipelineConfig, examples: str, span: int) -> CanaryReport:
    """Serves what is labelled stable and canary, and asks both the same.

    Requests alternate between the two, so that neither has the quieter machine. The first one of each is not
    counted.

    Args:
        config: of the line.
        examples: folder of the run's raw examples.
        span: the newest; its test split is asked, or, if that is empty, the window's.

    Raises:
        serving.process.ServerFailed: the server did not start.
    """
    limits = config.continuous.canary
    texts, labels = _held_out(examples, span, limits.texts)
    store = Store(str(local_paths(config)["serving"]))
    served = models_config(config.name, store.base, store.state().labels)
    with tempfile.NamedTemporaryFile("w", suffix=".config") as file:
        file.write(served)
        file.flush()
        flags = {
            "model_config_file": file.name,
            "allow_version_labels_for_unavailable_models": "true",
        }
        with (
            ServerProcess(store.base, config.name, _READY_SECONDS, flags) as server,
            Client(
                server.grpc_target, config.name, "grpc", _DEADLINE_SECONDS, version_label=STABLE
            ) as stable,
            Client(
                server.grpc_target, config.name, "grpc", _DEADLINE_SECONDS, version_label=CANARY
            ) as canary,
        ):
            said = _ask((stable, canary), texts, limits.texts_per_request)
    return _report(span, labels, *said)


@dataclasses.dataclass
class _Said:
    """Answers of one version: the label of each text, None where the request failed; seconds of requests."""

    labels: list[str | None] = dataclasses.field(default_factory=list)
    seconds: list[float] = dataclasses.field(default_factory=list)
    requests: int = 0


def _ask(clients: Sequence[Client], texts: Sequence[str], batch: int) -> list[_Said]:
    for client in clients:
        _answers(client, texts[:batch])  # the first request traces the graph
    said = [_Said() for _ in clients]
    for start in range(0, len(texts), batch):
        for client, heard in zip(clients, said, strict=True):
            began = time.perf_counter()
            labels = _answers(client, texts[start : start + batch])
            heard.requests += 1
            heard.labels += labels
            if labels[0] is not None:
                heard.seconds.append(time.perf_counter() - began)
    return said


def _answers(client: Client, texts: Sequence[str]) -> list[str] | list[None]:
    try:
        answers = client.predict(texts)
    except ClientError:
        return [None] * len(texts)
    return [answer.label for answer in answers if isinstance(answer, Prediction)]


def _report(span: int, labels: Sequence[str], stable: _Said, canary: _Said) -> CanaryReport:
    both = [
        (label, ours, theirs)
        for label, ours, theirs in zip(labels, canary.labels, stable.labels, strict=True)
        if ours is not None and theirs is not None
    ]
    hits, other_hits = (np.array([row[0] == row[i] for row in both], bool) for i in (1, 2))
    _, p_value = paired_difference(hits, other_hits)
    return CanaryReport(
        texts=len(both),
        span=span,
        stable=_answered(stable, other_hits),
        canary=_answered(canary, hits),
        disagreement=sum(ours != theirs for _, ours, theirs in both) / len(both) if both else None,
        p_value=p_value if both else None,
    )


def _answered(said: _Said, hits: np.ndarray) -> Answered:
    return Answered(
        requests=said.requests,
        failed=said.requests - len(said.seconds),
        median_seconds=statistics.median(said.seconds) if said.seconds else None,
        accuracy=float(hits.mean()) if len(hits) else None,
    )


def _held_out(examples: str, span: int, most: int) -> tuple[list[str], list[str]]:
    """Texts and labels of the test split, of the newest span where that has any."""
    files = [str(path) for path in sorted(Path(examples, "Split-test").glob("*"))]
    rows = [
        (number.decode(), text.decode(), label.decode())
        for columns in read_columns(files, ["span", "text", "label"])
        for number, text, label in zip(
            columns["span"], columns["text"], columns["label"], strict=True
        )
    ]
    newest = [row for row in rows if row[0] == str(span)] or rows
    return [row[1] for row in newest[:most]], [row[2] for row in newest[:most]]
