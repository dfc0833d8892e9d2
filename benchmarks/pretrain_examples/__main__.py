"""PubMed abstracts to pretraining examples: our component beside Google's create_pretraining_data.

`pip install --no-deps --target FOLDER bert-tensorflow==1.0.4`
`python -m benchmarks.pretrain_examples --peer FOLDER --rounds 5 --json FILE`

Ours is the whole component on the whole sample: reading the raw examples, splitting sentences, tokenizing,
pairing, packing, writing, and reading the rows again to prove that no held-out key is in them; as it is, and
with the sentences given. The peer is given its sentences in both comparisons and does what it always does:
it tokenizes, pairs, masks (our masks are drawn in training) and writes padded rows, all on one core. It works
on every 20th document and is compared by bytes of text a second. Each run is a process of its own; they take
turns. Timed is the work, not the imports. `--scaling` instead runs ours on 1, 2, 4 and 8 copies, in this
process on one core and with two worker processes on two: a core a worker, since one worker alone would use
more than one (TensorFlow's threads). The workers' start, about 5 s of a core each, is in their times.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich.console
import rich.table

from benchmarks.alternating import alternate, compare, spread
from benchmarks.pretrain_examples.work import (
    PEER_TEXT,
    SENTENCES,
    SHORT_FRACTION,
    SIZES,
    TEXTS,
    TRAIN,
)
from pipeline.datasets.fetch import cache_folder, fetch

_ROOT = Path(__file__).resolve().parents[2]
_PEER_EVERY = 20
_PEER = "create_pretraining_data"
_COPIES, _WORKERS = (1, 2, 4, 8), (1, 2)


def main() -> None:
    """Measures, prints a table, and writes the figures as JSON if asked."""
    arguments = _arguments()
    console = rich.console.Console(stderr=True)
    sizes = _prepared(arguments.data)
    tell: Callable[[str], None] = lambda line: console.print(line, highlight=False)  # noqa: E731
    rows = (
        _scaling(arguments, sizes, tell) if arguments.scaling else _beside(arguments, sizes, tell)
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, help="folder that bert-tensorflow was installed into")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--scaling", action="store_true", help="more data and more workers instead")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument(
        "--data",
        type=Path,
        default=cache_folder() / "benchmarks" / "pretrain_examples",
        help="where the prepared data are, or will be",
    )
    arguments = parser.parse_args()
    if not arguments.scaling and not (arguments.peer and (arguments.peer / "bert").is_dir()):
        parser.error(
            "--peer: give the folder of\n"
            "  pip install --no-deps --target FOLDER bert-tensorflow==1.0.4"
        )
    return arguments


def _prepared(folder: Path) -> dict[str, int]:
    """Sizes of the data, which are prepared in a process of their own if they are not there."""
    if not (folder / SIZES).is_file():
        code = "import sys, pathlib; from benchmarks.pretrain_examples.data import prepare; "
        code += f"prepare(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), {_PEER_EVERY})"
        source = str(fetch("pubmed_sample"))
        subprocess.run([sys.executable, "-c", code, source, str(folder)], cwd=_ROOT, check=True)
    return json.loads((folder / SIZES).read_text())


def _ours(
    arguments: argparse.Namespace,
    form: str,
    copies: int = 1,
    workers: int = 1,
    cores: int | None = None,
) -> dict[str, Any]:
    return _run(
        *("-m", "benchmarks.pretrain_examples.ours", "--data", str(arguments.data)),
        *("--form", form, "--vocabulary", str(fetch("minilm_l6"))),
        *("--max-length", str(arguments.max_length)),
        *("--copies", str(copies), "--workers", str(workers)),
        cores=cores,
    )


def _peer(arguments: argparse.Namespace) -> dict[str, Any]:
    return _run(
        *("benchmarks/pretrain_examples/peer.py", "--peer", str(arguments.peer.resolve())),
        *("--text", str(arguments.data / PEER_TEXT)),
        *("--vocabulary", str(fetch("minilm_l6") / "vocab.txt")),
        *("--max-length", str(arguments.max_length), "--short-fraction", str(SHORT_FRACTION)),
    )


def _run(*command: str, cores: int | None = None) -> dict[str, Any]:
    """What a process prints last; it gets so many cores, or all."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    process = subprocess.run(
        [sys.executable, *command],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),  # before TensorFlow counts them
    )
    if process.returncode:
        raise RuntimeError(f"{command} failed:\n{process.stderr[-3000:]}")
    return json.loads(process.stdout.splitlines()[-1])


def _beside(
    arguments: argparse.Namespace, sizes: dict[str, int], tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    results = alternate(
        {
            TEXTS: lambda _: _ours(arguments, TEXTS),
            SENTENCES: lambda _: _ours(arguments, SENTENCES),
            _PEER: lambda _: _peer(arguments),
        },
        arguments.rounds,
        tell,
    )
    # Seconds a megabyte, since the peer works on a part.
    costs = {
        name: [result["seconds"] / size * 1e6 for result in results[name]]
        for name, size in (
            (TEXTS, sizes["bytes"]),
            (SENTENCES, sizes["bytes"]),
            (_PEER, sizes["peer_bytes"]),
        )
    }
    work = f"{sizes['bytes'] / 1e6:.1f} MB, {sizes['documents']} documents, max_length {arguments.max_length}"
    table = rich.table.Table("", "MB/s", "seconds", f"times {_PEER}", title=work)
    rows = []
    for name, title in ((SENTENCES, "ours, sentences given"), (TEXTS, "ours, sentences split")):
        row = compare("pretrain_examples", f"{title}; {work}", costs[name], costs[_PEER], "s/MB")
        rows.append(row | {"seconds": [result["seconds"] for result in results[name]]})
        ratio = f"{row['ratio']:.1f} ({row['ratio_min']:.1f} – {row['ratio_max']:.1f})"
        table.add_row(title, _speed(costs[name]), _seconds(results[name]), ratio)
    part = f"{_PEER} on {sizes['peer_bytes'] / 1e6:.1f} MB"
    table.add_row(part, _speed(costs[_PEER]), _seconds(results[_PEER]), "1")
    rich.print(table)
    packed = results[TEXTS][0]["splits"][TRAIN]
    rich.print(f"packing efficiency {packed['packing_efficiency']:.2%}, {packed}")
    return rows


def _scaling(
    arguments: argparse.Namespace, sizes: dict[str, int], tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    if len(os.sched_getaffinity(0)) < max(_WORKERS):
        sys.exit(f"--scaling needs {max(_WORKERS)} cores")
    table = rich.table.Table(
        "copies",
        "workers",
        "seconds",
        "MB/s",
        "of one worker's speed",
        "MB of memory, main process",
    )
    rows = []
    for copies in _COPIES:
        alone = 0.0
        for workers in _WORKERS:
            tell(f"{copies} copies, {workers} workers")
            result = _ours(arguments, TEXTS, copies, workers, cores=workers)
            speed = copies * sizes["bytes"] / 1e6 / result["seconds"]
            alone = alone or speed
            cells = (f"{result['seconds']:.1f}", f"{speed:.2f}", f"{speed / alone:.2f}×")
            table.add_row(str(copies), str(workers), *cells, f"{result['peak_mb']:.0f}")
            rows.append(
                {"name": "pretrain_examples", "work": f"{copies} copies, {workers} workers"}
                | {"seconds": result["seconds"], "mb_per_s": speed, "of_one_worker": speed / alone}
                | {"peak_mb": result["peak_mb"]}
            )
    rich.print(table)
    return rows


def _speed(costs: list[float]) -> str:
    return spread([1 / cost for cost in costs], 2)


def _seconds(results: list[dict[str, Any]]) -> str:
    return spread([result["seconds"] for result in results])


if __name__ == "__main__":
    main()
