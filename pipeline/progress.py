"""What a person sees while a pipeline runs, and at its end."""

import logging
from typing import Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from pipeline.local_runner import CACHED, FAILED, NodeRun

_LOGGER = logging.getLogger("sciformer")
_BAR_WIDTH = 16  # cells
_SHOWN_RULES = 3  # whose worst examples are listed
_SHOWN_TEXT = 200  # characters of an example
_CELL_WIDTH = 24  # characters of its key and labels
_LABELS = {  # what is said of a pushed version
    "stable": "",
    "canary": ", a canary until it is promoted",
    "rolled back": ", which was [red]rolled back[/] since",
    "kept": ", which is not stable any more",
    "deleted": ", which was deleted since",
}
_MARKS = {CACHED: "[dim]cached[/]", FAILED: "[red]failed[/]"}


class Progress(logging.Handler):
    """A line per finished component, and a spinner with the newest word of the running one.

    It is a logging handler, for the time of a `with` block, so that long work, such as training, only has
    to log on "sciformer". A record with the attributes `completed` and `total` also shows a bar.
    """

    def __init__(self, console: Console):
        super().__init__(logging.DEBUG)
        self._console = console
        self._status = console.status("")
        self._node = ""

    def __enter__(self) -> "Progress":
        """Begins to listen to our log."""
        _LOGGER.setLevel(logging.DEBUG)
        _LOGGER.addHandler(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._status.stop()
        _LOGGER.removeHandler(self)

    def started(self, node: str) -> None:
        """Shows that a component runs."""
        self._node = node
        self._status.update(f"{node} …")
        self._status.start()

    def ended(self, run: NodeRun) -> None:
        """Prints what became of it."""
        self._status.stop()
        mark = _MARKS.get(run.state, "[green]done[/]  ")
        self._console.print(f"  {run.node:<20} {mark} {run.seconds:6.1f} s", highlight=False)

    def emit(self, record: logging.LogRecord) -> None:
        """Shows our log records behind the spinner; those of INFO and above also stay as lines."""
        message = record.getMessage()
        self._status.update(_live(escape(f"{self._node}: {message}"), record))
        if record.levelno >= logging.INFO:
            self._console.print(f"    {message}", markup=False, highlight=False, soft_wrap=True)


def _live(text: str, record: logging.LogRecord) -> RenderableType:
    """What is to the right of the spinner."""
    total = getattr(record, "total", None)
    if total is None:
        return text
    line = Table.grid(padding=(0, 1))
    line.add_row(ProgressBar(total, getattr(record, "completed", 0), width=_BAR_WIDTH), text)
    return line


def show_summary(console: Console, summary: dict[str, Any]) -> None:
    """Prints the outcome: time, rows, metrics, and what stopped the model if anything did."""
    _show_time(console, summary)
    if rows := summary["rows"]:
        console.print(
            f"rows: {rows['read']} read = {rows['kept']} kept + {rows['quarantined']} quarantined + "
            f"{rows['filtered']} filtered"
        )
    if text := summary["text"]:
        console.print(
            f"text: {text['coverage']:.2%} of the tokens are in the vocabulary, "
            f"{text['tokens_mean']:.0f} tokens a text (at most {text['tokens_max']})"
        )
    if examples := summary["pretrain_examples"]:
        train = examples["splits"]["train"]
        console.print(
            f"pretraining: {train['documents']:,} documents, {train['tokens']:,} tokens in "
            f"{train['rows']:,} rows, {train['packing_efficiency']:.1%} full; {train['held_out']} held out"
        )
    if tuning := summary["tuning"]:
        values = ", ".join(
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in tuning["values"].items()
        )
        console.print(f"tuned: {values} (best of {tuning['trials']} trials)", markup=False)
    if words := summary["vocabulary"]:
        console.print(_vocabulary_line(words), highlight=False)
    if summary["metrics"]:
        console.print(_metrics_table(summary["metrics"]))
    if summary["error"]:
        console.print(f"[red]{summary['error']['component']} failed:[/] ", end="")
        console.print(summary["error"]["message"], markup=False)
    elif not summary["blessing"]["blessed"]:
        _show_refusal(console, summary["blessing"])
    elif summary["pushed"]:
        pushed = summary["pushed"]
        more = _LABELS[pushed["label"]]
        console.print(f"[green]blessed and pushed[/] as version {pushed['version']}{more}")
        if mark := pushed.get("rollback"):
            console.print(f"  {mark['when']}, {mark['who']}: {mark['why']}", markup=False)


def _show_refusal(console: Console, blessing: dict[str, Any]) -> None:
    """The worst examples behind each broken rule, then all reasons, which are so the last lines."""
    failed = blessing.get("failed", [])
    for rule in failed[:_SHOWN_RULES]:
        if rule["worst"]:
            console.print(_worst_table(rule))
    if len(failed) > _SHOWN_RULES:
        console.print(f"worst examples of {len(failed) - _SHOWN_RULES} more rules: verdict.json")
    for note in blessing.get("notes", []):
        console.print(f"note: {note}", markup=False, highlight=False)
    console.print("[red]not blessed, not pushed:[/]")
    for reason in blessing["reasons"]:
        console.print(f"  {reason}", markup=False)


def _worst_table(rule: dict[str, Any]) -> Table:
    """The examples on which the model was furthest off, a line each."""
    where = f" on {rule['slice']}" if rule["slice"] else ""
    title = escape(f"{rule['metric']}{where}: worst examples")
    table = Table(title=title, title_justify="left", box=None, expand=True)
    for name in ("key", "label", "predicted", "loss"):
        table.add_column(name, no_wrap=True, max_width=_CELL_WIDTH)
    table.add_column("text", no_wrap=True, ratio=1)  # what room is left
    for example in rule["worst"]:
        loss = "" if example["loss"] is None else f"{example['loss']:.2f}"
        words = " ".join(example["text"].split())
        cells = (example["key"], example["label"], example["predicted"], loss, words[:_SHOWN_TEXT])
        table.add_row(*map(escape, cells))
    return table


def _vocabulary_line(report: dict[str, Any]) -> str:
    shares = ", ".join(
        f"{figures['unknown_rate']:.2%} of {split}" for split, figures in report["splits"].items()
    )
    return f"vocabulary: {report['tokens']:,} tokens; unknown: {shares}"


def _show_time(console: Console, summary: dict[str, Any]) -> None:
    components = summary["components"]
    training = sum(
        components[name]["seconds"] for name in ("Tuner", "Trainer") if name in components
    )
    total = summary["seconds"]
    console.print(
        f"{total:.1f} s: {training:.1f} s training, {total - training:.1f} s everything else",
        highlight=False,
    )


def _metrics_table(metrics: dict[str, dict[str, float]]) -> Table:
    table = Table("split", title="metrics", title_justify="left")
    names = list(dict.fromkeys(name for values in metrics.values() for name in values))
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for split, values in metrics.items():
        table.add_row(split, *(f"{values[name]:.4g}" if name in values else "" for name in names))
    return table
