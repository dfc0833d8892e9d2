"""Masked-language-model training on packed rows beside rows padded to 512, on real PubMed abstracts.

`python -m benchmarks.packing --rounds 5 --json FILE` times, `--rounds 0 --seeds 3` compares what is learned.

The same sequences (what PretrainExampleGen makes of titles and abstracts), model, masks a sequence, and about
as many tokens an update. "grouped" is what the training loop does with rows that are not packed: a batch
holds like lengths, padded to the longest. To time them, the contenders take turns in a few updates. To
compare them, each learns all sequences once, with several seeds, and is evaluated on others, never packed.
"""

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks.alternating import alternate, compare, spread
from benchmarks.seeds import mean_interval
from components.example_gen.records import Record
from components.medline_example_gen.config import MedlineConfig
from components.medline_example_gen.executor import MedlineReader
from components.pretrain_example_gen.config import Objective, PretrainExamplesConfig
from components.pretrain_example_gen.documents import Documents
from components.pretrain_example_gen.shards import make_rows
from components.pretrain_example_gen.text import BertReader
from models.batching import Plan, distribute
from models.config import BackboneConfig, MaskingConfig, OptimizerConfig, PresetName, TrainingConfig
from models.masking import MaskedRows, Masking
from models.optimization import Optimizer
from models.precision import LossScale
from models.pretrainer import build_pretrainer
from models.sequence_rows import SequenceRows
from models.tasks import BertPretraining
from models.tokenizer import read_vocabulary
from models.updates import Updates
from pipeline.datasets.fetch import fetch

LENGTH = 512
PACKED, PADDED, GROUPED = "packed", "padded to 512", "grouped"
_EVAL_DOCUMENTS = 200

Form = tuple[SequenceRows, Plan]


class Data:
    """What PretrainExampleGen makes of documents: packed, one a row, and held out.

    Args:
        objective: "mlm_nsp" or "mlm".
        reader: the tokenizer.
        records: documents; the first `held_out` of their shard's order are not learned from.
        held_out: how many those are.
        folder: for scratch files.
    """

    def __init__(
        self,
        objective: Objective,
        reader: BertReader,
        records: Sequence[Record],
        held_out: int,
        folder: str,
    ):
        self._objective, self._folder, self._frame = objective, Path(folder), reader.frame
        keys, texts = ([getattr(r, name).encode() for r in records] for name in ("key", "text"))
        everything = reader.documents(keys, texts, seed=0).in_order()
        numbers = np.arange(len(everything))
        train = everything.take(numbers[held_out:])
        self.packed = self._rows(train, packing=True)
        self.single = self._rows(train, packing=False)
        self.held_out = self._rows(everything.take(numbers[:held_out]), packing=False)

    def _rows(self, documents: Documents, packing: bool) -> SequenceRows:
        config = PretrainExamplesConfig(
            objective=self._objective, max_length=LENGTH, packing=packing
        )
        file = str(self._folder / "rows.gz")
        rows, _ = make_rows(documents, "0", self._frame, config)
        with tf.io.TFRecordWriter(file, "GZIP") as writer:
            for row in rows:
                writer.write(row)
        return SequenceRows.read([file])

    def forms(self, rows: int) -> dict[str, Form]:
        """Rows and batches of each form.

        Args:
            rows: packed, of a batch; the others hold as many as have about as many tokens.
        """
        tokens = rows * self.packed.lengths.mean()

        def at_full_length(data: SequenceRows, batch_size: int) -> Plan:
            return Plan(np.full(len(data), LENGTH), batch_size, seed=0)

        padded = round(tokens / self.single.lengths.mean())
        return {
            PACKED: (self.packed, at_full_length(self.packed, rows)),
            PADDED: (self.single, at_full_length(self.single, padded)),
            GROUPED: (self.single, Plan(self.single.lengths, None, round(tokens), seed=0)),
        }

    def __str__(self) -> str:
        lengths = self.single.lengths
        return (
            f"{len(lengths):,} sequences, {lengths.sum():,} ids, mean {lengths.mean():.0f}; "
            f"{len(self.packed):,} packed rows, {self.packed.lengths.mean() / LENGTH:.1%} full; "
            f"padded rows {lengths.mean() / LENGTH:.1%} full"
        )


def _records() -> Iterator[Record]:
    reader = MedlineReader(MedlineConfig())
    files = sorted(fetch("pubmed_sample").glob("*.xml.gz"))
    # By turns, for the files are 45 years apart.
    for outcomes in zip(*(reader.read(str(file)) for file in files), strict=False):
        yield from (outcome for outcome in outcomes if isinstance(outcome, Record))


class Contender:
    """A model that learns from one form."""

    def __init__(self, config: BackboneConfig, masking: Masking, form: Form, seed: int = 0):
        keras.utils.set_random_seed(seed)
        rows, plan = form
        self._masking, self._strategy = masking, tf.distribute.get_strategy()
        model = build_pretrainer(config, rows.has_pairs)
        training = TrainingConfig(optimizer=OptimizerConfig(learning_rate=1e-3), seed=seed)
        self.updates_an_epoch = len(plan)
        optimizer = Optimizer(model, training.optimizer, len(plan))
        self._updates = Updates(
            BertPretraining(model), optimizer, LossScale("float32"), training, self._strategy
        )
        self._batches = distribute(self._strategy, MaskedRows(rows, masking, seed), plan)

    def train(self, updates: int) -> tuple[float, float]:
        """Seconds and tokens (padding not counted) of some updates."""
        began, tokens = time.perf_counter(), 0.0
        for _ in range(updates):
            report = self._updates.train(self._batches, tf.constant(1), tf.constant(0))
            tokens += float(report["tokens"][0])
        return time.perf_counter() - began, tokens

    def eval_loss(self, rows: SequenceRows) -> float:
        """Nats a mask; the masks are the same for all contenders."""
        plan = Plan(rows.lengths, tokens_per_batch=8 * LENGTH)
        batches = distribute(self._strategy, MaskedRows(rows, self._masking, 0), plan)
        reports = [self._updates.evaluate(batches, tf.constant(1)) for _ in range(len(plan))]
        loss, masks = (
            sum(float(report[f"{kind}/mlm_loss"][0]) for report in reports)
            for kind in ("sum", "weight")
        )
        return loss / masks


def main() -> None:
    """Prints a table of each kind, and the figures as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", choices=get_args(PresetName), default="mini", help="(mini)")
    parser.add_argument(
        "--objective", choices=("mlm_nsp", "mlm"), default="mlm_nsp", help="(mlm_nsp)"
    )
    parser.add_argument("--documents", type=int, default=2000, help="to learn from (2000)")
    parser.add_argument("--rows", type=int, default=16, help="packed, of an update (16)")
    parser.add_argument("--rounds", type=int, default=5, help="of timing (5)")
    parser.add_argument("--updates", type=int, default=2, help="of a turn (2)")
    parser.add_argument("--seeds", type=int, default=0, help="to train with to the end (0)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    vocabulary = fetch("minilm_l6") / "vocab.txt"
    config = BackboneConfig.preset(arguments.preset)
    masking = Masking(read_vocabulary(vocabulary), MaskingConfig())
    records = list(itertools.islice(_records(), arguments.documents + _EVAL_DOCUMENTS))
    with tempfile.TemporaryDirectory() as folder:
        reader = BertReader(str(vocabulary))
        data = Data(arguments.objective, reader, records, _EVAL_DOCUMENTS, folder)
    print(data)
    forms, rows = data.forms(arguments.rows), []
    if arguments.rounds:
        made = {name: Contender(config, masking, form) for name, form in forms.items()}
        rows += _time(made, arguments)
    if arguments.seeds:
        losses = alternate(
            {
                name: lambda seed, form=form: _trained_loss(
                    Contender(config, masking, form, seed), data.held_out
                )
                for name, form in forms.items()
            },
            arguments.seeds,
            Console(stderr=True).print,
        )
        rows += compare_losses(losses, arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _difference(packed: list[float], others: list[float]) -> str:
    """Paired by seed, since a seed gives all of them the same weights to begin with."""
    if len(packed) < 2 or packed is others:
        return ""
    mean, low, high = mean_interval([a - b for a, b in zip(packed, others, strict=True)])
    return f"{mean:+.3f} ({low:+.3f} – {high:+.3f})"


def _trained_loss(contender: Contender, evaluation: SequenceRows) -> float:
    contender.train(contender.updates_an_epoch)
    return contender.eval_loss(evaluation)


def _time(contenders: dict[str, Contender], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    for contender in contenders.values():
        contender.train(2)  # traces and compiles

    def cost(contender: Contender) -> float:
        seconds, tokens = contender.train(arguments.updates)
        return 1e6 * seconds / tokens

    costs = alternate(
        {name: lambda _, one=one: cost(one) for name, one in contenders.items()}, arguments.rounds
    )
    what = f"{arguments.preset}, {arguments.objective}"
    title = f"{what}: {arguments.rounds} rounds of {arguments.updates} updates"
    table = Table("", "µs/token", "tokens/s", title=title)
    for name, values in costs.items():
        table.add_row(name, spread(values), f"{1e6 / np.median(values):,.0f}")
    console = Console()
    console.print(table)
    rows = []
    for name in (PADDED, GROUPED):
        work = f"{what}: {PACKED} beside {name}"
        row = compare("packing", work, costs[PACKED], costs[name], "µs/token")
        ratio = f"{row['ratio']:.2f} ({row['ratio_min']:.2f} – {row['ratio_max']:.2f})"
        console.print(f"packed is {ratio} times as fast as {name}", highlight=False)
        rows.append(row)
    return rows


def compare_losses(
    losses: dict[str, list[float]], arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """Prints the losses; gives the rows of the JSON."""
    what = f"{arguments.preset}, {arguments.objective}: eval mlm loss"
    table = Table(
        *("", "nats a mask", "packed is higher by (95 % over seeds)"),
        title=f"{what} after one epoch, {arguments.seeds} seeds",
    )
    for name, values in losses.items():
        table.add_row(name, spread(values, 3), _difference(losses[PACKED], values))
    Console().print(table)
    return [
        compare("packing", f"{what} beside {name}", losses[PACKED], losses[name], "nats")
        for name in (PADDED, GROUPED)
    ]


if __name__ == "__main__":
    main()
