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

from serving.pairs import as_pairs, split_lines
from serving.quiet import quiet_tensorflow
from serving.transports import ClientError, GrpcTransport, RestTransport, Transport

_BATCH = 64  # texts a request: bounds the server's memory whatever the length of the input


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer for one text or pair: one class.

    Attributes:
        text: the text that was sent.
        label: the most probable class.
        probability: its probability.
        scores: probability of every class.
        text_pair: the second text; None of a single one.
    """

    text: str
    label: str
    probability: float
    scores: dict[str, float]
    text_pair: str | None = None


@dataclasses.dataclass(frozen=True)
class Labels:
    """The answer for one text or pair: any number of classes.

    Attributes:
        text: the text that was sent.
        labels: the classes of a probability of at least 1/2.
        scores: probability of every class.
        text_pair: the second text; None of a single one.
    """

    text: str
    labels: list[str]
    scores: dict[str, float]
    text_pair: str | None = None


@dataclasses.dataclass(frozen=True)
class Number:
    """The answer for one text or pair: a number, in the units of the training labels.

    Attributes:
        text: the text that was sent.
        value: the number.
        text_pair: the second text; None of a single one.
    """

    text: str
    value: float
    text_pair: str | None = None


AnyPrediction = Prediction | Labels | Number


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

    def predict(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None
    ) -> list[AnyPrediction]:
        """Asks about texts, a batch a request; answers in the order of the texts.

        Args:
            texts: what is asked about.
            pairs: the second texts, of a model that reads pairs.

        Raises:
            ClientError: with the server's words, or why it could not be reached.
        """
        predictions = []
        for start in range(0, len(texts), self._batch_size):
            batch = slice(start, start + self._batch_size)
            predictions += self._predict_batch(
                texts[batch], None if pairs is None else pairs[batch]
            )
        return predictions

    def _predict_batch(
        self, texts: Sequence[str], pairs: Sequence[str] | None
    ) -> list[AnyPrediction]:
        second = {} if pairs is None else {"text_pair": pairs}
        answer = self._transport.ask("serving_text", {"text": texts, **second})
        rest = [None] * len(texts) if pairs is None else pairs
        if "value" in answer:
            values = answer["value"].tolist()
            return [Number(*row) for row in zip(texts, values, rest, strict=True)]
        decision = "is_answer" if "is_answer" in answer else "label"
        missing = {decision, "probabilities", "classes"} - answer.keys()
        if missing:
            raise ClientError(f"serving_text answered without {', '.join(sorted(missing))}")
        columns = (answer[k].tolist() for k in (decision, "classes", "probabilities"))
        make = _labels if decision == "is_answer" else _prediction
        return [make(*row) for row in zip(texts, *columns, rest, strict=True)]


def _prediction(
    text: str, label: str, classes: list[str], scores: list[float], pair: str | None
) -> Prediction:
    return Prediction(text, label, max(scores), dict(zip(classes, scores, strict=True)), pair)


def _labels(
    text: str, decided: list[bool], classes: list[str], scores: list[float], pair: str | None
) -> Labels:
    labels = [name for name, is_one in zip(classes, decided, strict=True) if is_one]
    return Labels(text, labels, dict(zip(classes, scores, strict=True)), pair)


app = typer.Typer(add_completion=False)


@app.command()
def main(
    target: Annotated[str, typer.Option(help="HOST:PORT of the model server.")],
    model: Annotated[str, typer.Option(help="The model's name there.")],
    text: Annotated[
        list[str] | None, typer.Argument(help="Texts to ask about; without any, --file or stdin.")
    ] = None,
    rest: Annotated[bool, typer.Option("--rest", help="Ask over REST instead of gRPC.")] = False,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file, one text a line.")
    ] = None,
    deadline: Annotated[
        float, typer.Option(min=0.001, help="Seconds for a request, its retries included.")
    ] = 60.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts a request.")] = _BATCH,
    pairs: Annotated[
        bool,
        typer.Option(
            "--pairs",
            help="Pairs: each text followed by its second one, or a tab in a file's lines.",
        ),
    ] = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Write one JSON object a line, no table.")
    ] = False,
) -> None:
    """Asks a served model about texts, and prints a table or JSON Lines."""
    if text and file:
        raise typer.BadParameter("give texts or --file, not both")
    if text and pairs:
        try:
            text = ["\t".join(pair) for pair in zip(*as_pairs(text), strict=True)]
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    quiet_tensorflow()
    try:
        with Client(target, model, "rest" if rest else "grpc", deadline, batch_size) as client:
            if jsonl:
                _write_jsonl(client, _lines(text, file), batch_size, pairs)
            else:
                _print_table(_ask(client, list(_lines(text, file)), pairs))
    except (ClientError, ValueError) as error:
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


def _ask(client: Client, lines: Sequence[str], pairs: bool) -> list[AnyPrediction]:
    return client.predict(*split_lines(lines)) if pairs else client.predict(lines)


def _write_jsonl(client: Client, texts: Iterable[str], batch_size: int, pairs: bool) -> None:
    """Batch by batch, so that a long input neither waits nor piles up."""
    texts = iter(texts)
    while batch := list(itertools.islice(texts, batch_size)):
        for prediction in _ask(client, batch, pairs):
            fields = dataclasses.asdict(prediction)
            if prediction.text_pair is None:
                del fields["text_pair"]
            print(json.dumps(fields, ensure_ascii=False))


def _print_table(predictions: Sequence[AnyPrediction]) -> None:
    first = predictions[0] if predictions else None
    texts = ("text", "second text") if first and first.text_pair is not None else ("text",)
    if isinstance(first, Number):
        table = Table(*texts, "value")
    elif isinstance(first, Labels):
        table = Table(*texts, "labels", "next")
    else:
        table = Table(*texts, "label", "probability", "next")
    for prediction in predictions:
        asked = (prediction.text, prediction.text_pair)[: len(texts)]
        table.add_row(*(_excerpt(text or "") for text in asked), *_cells(prediction))
    Console().print(table)


def _cells(prediction: AnyPrediction) -> list[Text]:
    """The answer's part of a row."""
    if isinstance(prediction, Number):
        return [Text(f"{prediction.value:.5g}")]
    ranked = sorted(prediction.scores.items(), key=lambda item: -item[1])
    told = [f"{label} {score:.3f}" for label, score in ranked]
    if isinstance(prediction, Labels):
        count = len(prediction.labels)
        return [Text(", ".join(told[:count]) or "none"), Text(", ".join(told[count : count + 2]))]
    probability = f"{prediction.probability:.3f}"
    return [Text(prediction.label), Text(probability), Text(", ".join(told[1:3]))]


def _excerpt(text: str) -> Text:
    return Text(text if len(text) <= 200 else text[:199] + "…")


if __name__ == "__main__":
    app()
