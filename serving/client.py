"""A classifier's client: `python -m serving.client`, and the class `Client`."""

import dataclasses
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from serving.quiet import quiet_tensorflow
from serving.transports import ClientError, GrpcTransport, RestTransport, Transport

_BATCH = 64  # texts a request: bounds the server's memory whatever the length of the input


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer for one text.

    Attributes:
        text: the text that was sent.
        label: the most probable class.
        probability: its probability.
        scores: probability of every class.
    """

    text: str
    label: str
    probability: float
    scores: dict[str, float]


class Client:
    """Asks a served classifier's `serving_text` signature.

    ```python
    with Client("localhost:8500", "pubmed") as client:
        client.predict(["Effect of aspirin on ..."])[0].label
    ```

    Args:
        target: "HOST:PORT" of TensorFlow Serving or of the development server.
        model_name: the model's name there.
        transport: "grpc" or "rest".
        deadline_seconds: of one request, its retries included.
        batch_size: texts a request.
        version_label: which version is asked, such as "canary"; the server's newest by default.
    """

    def __init__(
        self,
        target: str,
        model_name: str,
        transport: Literal["grpc", "rest"] = "grpc",
        deadline_seconds: float = 60.0,
        batch_size: int = _BATCH,
        version_label: str | None = None,
    ):
        kinds: dict[str, Callable[[str, str, float, str | None], Transport]]
        kinds = {"grpc": GrpcTransport, "rest": RestTransport}
        if transport not in kinds:
            raise ValueError(f"transport: {transport!r} is neither 'grpc' nor 'rest'")
        if batch_size < 1:
            raise ValueError(f"batch_size: {batch_size} is less than 1")
        self._batch_size = batch_size
        self._transport = kinds[transport](target, model_name, deadline_seconds, version_label)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._transport.close()

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Classifies texts, a batch a request; answers in the order of the texts.

        Raises:
            ClientError: with the server's words, or why it could not be reached.
        """
        predictions = []
        for start in range(0, len(texts), self._batch_size):
            predictions += self._predict_batch(texts[start : start + self._batch_size])
        return predictions

    def _predict_batch(self, texts: Sequence[str]) -> list[Prediction]:
        answer = self._transport.ask("serving_text", {"text": texts})
        missing = {"label", "probabilities", "classes"} - answer.keys()
        if missing:
            raise ClientError(f"serving_text answered without {', '.join(sorted(missing))}")
        columns = (answer[k].tolist() for k in ("label", "classes", "probabilities"))
        return [
            Prediction(text, label, max(scores), dict(zip(classes, scores, strict=True)))
            for text, label, classes, scores in zip(texts, *columns, strict=True)
        ]


app = typer.Typer(add_completion=False)


@app.command()
def main(
    target: Annotated[str, typer.Option(help="HOST:PORT of the model server.")],
    model: Annotated[str, typer.Option(help="The model's name there.")],
    text: Annotated[
        list[str] | None, typer.Argument(help="Texts to classify; without any, --file or stdin.")
    ] = None,
    rest: Annotated[bool, typer.Option("--rest", help="Ask over REST instead of gRPC.")] = False,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file, one text a line.")
    ] = None,
    deadline: Annotated[
        float, typer.Option(min=0.001, help="Seconds for a request, its retries included.")
    ] = 60.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts a request.")] = _BATCH,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Write one JSON object a line, no table.")
    ] = False,
) -> None:
    """Classifies texts with a served model, and prints a table or JSON Lines."""
    if text and file:
        raise typer.BadParameter("give texts or --file, not both")
    quiet_tensorflow()
    try:
        with Client(target, model, "rest" if rest else "grpc", deadline, batch_size) as client:
            if jsonl:
                _write_jsonl(client, _lines(text, file), batch_size)
            else:
                _print_table(client.predict(list(_lines(text, file))))
    except ClientError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def _lines(texts: list[str] | None, file: Path | None) -> Iterable[str]:
    """The texts to classify; blank lines of a file are no texts."""
    if texts:
        yield from texts
        return
    source = file.open(encoding="utf-8") if file else sys.stdin
    with source:
        yield from (line.rstrip("\r\n") for line in source if line.strip())


def _write_jsonl(client: Client, texts: Iterable[str], batch_size: int) -> None:
    """Batch by batch, so that a long input neither waits nor piles up."""
    texts = iter(texts)
    while batch := list(itertools.islice(texts, batch_size)):
        for prediction in client.predict(batch):
            print(json.dumps(dataclasses.asdict(prediction), ensure_ascii=False))


def _print_table(predictions: Sequence[Prediction]) -> None:
    table = Table("text", "label", "probability", "next")
    for prediction in predictions:
        ranked = sorted(prediction.scores.items(), key=lambda item: -item[1])
        table.add_row(
            Text(prediction.text if len(prediction.text) <= 200 else prediction.text[:199] + "…"),
            Text(prediction.label),
            f"{prediction.probability:.3f}",
            Text(", ".join(f"{label} {score:.3f}" for label, score in ranked[1:3])),
        )
    Console().print(table)


if __name__ == "__main__":
    app()
