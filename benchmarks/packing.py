"""Masked-language-model training on packed rows beside rows padded to 512, on real PubMed abstracts.

`python -m benchmarks.packing --rounds 5 --json FILE` times, `--rounds 0 --seeds 3` compares what is learned.

The same sequences (a title with its abstract each), model, masks a sequence, and about as many tokens an
update. "grouped" is what the training loop does with rows that are not packed: a batch holds like lengths,
padded to the longest. To time them, the contenders take turns in a few updates. To compare them, each learns
all sequences once, with several seeds, and is evaluated on other sequences, the same for all.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks.alternating import alternate, compare, spread
from components.example_gen.records import Record
from components.medline_example_gen.config import MedlineConfig
from components.medline_example_gen.executor import MedlineReader
from components.pretrain_example_gen.packing import pack
from models.batching import Plan, distribute
from models.config import BackboneConfig, MaskingConfig, OptimizerConfig, PresetName, TrainingConfig
from models.masking import MaskedRows, Masking
from models.optimization import Optimizer
from models.precision import LossScale
from models.pretrainer import build_pretrainer
from models.sequence_rows import SequenceRows
from models.tasks import BertPretraining
from models.tokenizer import BertTokenizer, read_vocabulary
from models.updates import Updates
from pipeline.datasets.fetch import fetch

LENGTH = 512
PACKED, PADDED, GROUPED = "packed", "padded to 512", "grouped"
_EVAL_SEQUENCES = 200

Form = tuple[SequenceRows, Plan]


def read_sequences(vocabulary: list[str], count: int) -> list[list[int]]:
    """The ids of the first titles with abstracts, at most 512 each, in a random order."""
    reader = MedlineReader(MedlineConfig())
    files = sorted(fetch("pubmed_sample").glob("*.xml.gz"))
    # By turns, for the files are 45 years apart.
    outcomes = itertools.chain.from_iterable(
        zip(*(reader.read(str(file)) for file in files), strict=False)
    )
    records = (outcome for outcome in outcomes if isinstance(outcome, Record))
    texts = [record.text for record in itertools.islice(records, count)]
    ids = BertTokenizer(vocabulary, LENGTH)(tf.constant(texts)).to_list()
    return [ids[i] for i in np.random.default_rng(0).permutation(len(ids))]


def lay_out(sequences: list[list[int]], rows: int, seed: int) -> dict[str, Form]:
    """Rows and batches of each form.

    Args:
        sequences: ids.
        rows: packed, of a batch; the others hold as many as have about as many tokens.
        seed: of the batches' order.
    """
    lengths = np.array([len(ids) for ids in sequences])
    order, sizes = pack(lengths, LENGTH)
    packed = _rows([sequences[i] for i in order], sizes)
    single = _rows(sequences, np.ones(len(sequences), np.int64))
    tokens = rows * lengths.sum() / len(packed)

    def at_full_length(data: SequenceRows, batch_size: int) -> Plan:
        return Plan(np.full(len(data), LENGTH), batch_size, seed=seed)

    return {
        PACKED: (packed, at_full_length(packed, rows)),
        PADDED: (single, at_full_length(single, round(tokens / lengths.mean()))),
        GROUPED: (single, Plan(single.lengths, tokens_per_batch=round(tokens), seed=seed)),
    }


def _rows(sequences: list[list[int]], sizes: np.ndarray) -> SequenceRows:
    iterator = iter(sequences)
    rows = [list(itertools.islice(iterator, size)) for size in sizes]
    second_starts = [[len(ids) for ids in row] for row in rows]
    return SequenceRows.from_sequences(rows, second_starts, [[-1] * len(row) for row in rows])


class Contender:
    """A model that learns from one form."""

    def __init__(self, preset: PresetName, masking: Masking, form: Form, seed: int):
        keras.utils.set_random_seed(seed)
        rows, plan = form
        self._masking, self._strategy = masking, tf.distribute.get_strategy()
        model = build_pretrainer(BackboneConfig.preset(preset), next_sentence=False)
        config = TrainingConfig(optimizer=OptimizerConfig(learning_rate=1e-3), seed=seed)
        self.updates_an_epoch = len(plan)
        optimizer = Optimizer(model, config.optimizer, len(plan))
        self._updates = Updates(
            BertPretraining(model), optimizer, LossScale("float32"), config, self._strategy
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
    parser.add_argument("--abstracts", type=int, default=2000, help="to learn from (2000)")
    parser.add_argument("--rows", type=int, default=8, help="packed, of an update (8)")
    parser.add_argument("--rounds", type=int, default=5, help="of timing (5)")
    parser.add_argument("--updates", type=int, default=4, help="of a turn (4)")
    parser.add_argument("--seeds", type=int, default=0, help="to train with to the end (0)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    vocabulary = read_vocabulary(fetch("minilm_l6") / "vocab.txt")
    masking = Masking(vocabulary, MaskingConfig())
    sequences = read_sequences(vocabulary, arguments.abstracts + _EVAL_SEQUENCES)
    held_out, sequences = sequences[:_EVAL_SEQUENCES], sequences[_EVAL_SEQUENCES:]
    forms = lay_out(sequences, arguments.rows, seed=0)
    _describe(sequences, forms)
    rows = []
    if arguments.rounds:
        made = {name: Contender(arguments.preset, masking, form, 0) for name, form in forms.items()}
        rows += _time(made, arguments.rounds, arguments.updates, arguments.preset)
    if arguments.seeds:
        evaluation = _rows(held_out, np.ones(len(held_out), np.int64))
        losses = alternate(
            {
                name: lambda seed, name=name: _trained_loss(
                    Contender(arguments.preset, masking, forms[name], seed), evaluation
                )
                for name in forms
            },
            arguments.seeds,
        )
        rows += _compare_losses(losses, arguments.preset)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _trained_loss(contender: Contender, evaluation: SequenceRows) -> float:
    contender.train(contender.updates_an_epoch)
    return contender.eval_loss(evaluation)


def _time(
    contenders: dict[str, Contender], rounds: int, updates: int, preset: str
) -> list[dict[str, Any]]:
    for contender in contenders.values():
        contender.train(2)  # traces and compiles

    def cost(contender: Contender) -> float:
        seconds, tokens = contender.train(updates)
        return 1e6 * seconds / tokens

    costs = alternate(
        {name: lambda _, one=one: cost(one) for name, one in contenders.items()}, rounds
    )
    rows = [
        compare(
            "packing", f"{preset}: {PACKED} beside {name}", costs[PACKED], costs[name], "µs/token"
        )
        for name in (PADDED, GROUPED)
    ]
    table = Table(
        "", "µs/token", "tokens/s", title=f"{preset}, {rounds} rounds of {updates} updates"
    )
    for name, values in costs.items():
        table.add_row(name, spread(values), f"{1e6 / np.median(values):,.0f}")
    console = Console()
    console.print(table)
    for name, row in zip((PADDED, GROUPED), rows, strict=True):
        ratio = f"{row['ratio']:.2f} ({row['ratio_min']:.2f} – {row['ratio_max']:.2f})"
        console.print(f"packed is {ratio} times as fast as {name}", highlight=False)
    return rows


def _compare_losses(losses: dict[str, list[float]], preset: str) -> list[dict[str, Any]]:
    table = Table(
        "", "eval loss", title=f"{preset}, each sequence once, {len(losses[PACKED])} seeds"
    )
    for name, values in losses.items():
        table.add_row(name, spread(values, 3))
    Console().print(table)
    return [
        compare(
            "packing", f"{preset}: eval loss beside {name}", losses[PACKED], losses[name], "nats"
        )
        for name in (PADDED, GROUPED)
    ]


def _describe(sequences: list[list[int]], forms: dict[str, Form]) -> None:
    lengths = np.array([len(ids) for ids in sequences])
    packed, _ = forms[PACKED]
    print(
        f"{len(lengths):,} sequences, {lengths.sum():,} ids, mean {lengths.mean():.0f}, "
        f"{(lengths == LENGTH).mean():.1%} cut; {len(packed):,} packed rows, "
        f"{lengths.sum() / len(packed) / LENGTH:.1%} full; padded rows {lengths.mean() / LENGTH:.1%} full"
    )


if __name__ == "__main__":
    main()
