"""What Beam's workers do: read, tokenize, divide into shards, write.

Imports nothing of TFX but its file system, so that a worker process starts in half the time.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent import futures
from typing import Any

import apache_beam as beam
import numpy as np

from components.example_files import read_columns
from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.pretrain_example_gen.documents import Documents
from components.pretrain_example_gen.held_out import HeldOut
from components.pretrain_example_gen.shards import make_rows, write_checked
from components.pretrain_example_gen.text import TextReader, shard_of, text_reader

COUNTS = "counts"  # the output of Tokenize beside the documents
Texts = tuple[list[bytes], list[bytes]]  # keys, texts
Totals = Counter[tuple[str, str]]  # by split and name


class Work:
    """What the workers must know of a split."""

    def __init__(
        self,
        split: str,
        config: PretrainExamplesConfig,
        held_out: HeldOut,
        vocabulary: str,
        folder: str,
    ):
        self.split = split
        self.config = config
        self.held_out = held_out
        self.vocabulary = vocabulary
        self.folder = folder

    def totals(self, counts: Counter[str]) -> Totals:
        """Counts of this split."""
        return Counter({(self.split, name): n for name, n in counts.items()})


class Tokenize(beam.DoFn):
    """Keys and texts -> Documents and what was read and left out."""

    def __init__(self, work: Work):
        self._work = work

    def setup(self) -> None:
        """Loads the tokenizer, once a worker."""
        self._reader: TextReader = text_reader(self._work.config, self._work.vocabulary)

    def process(self, batch: Texts) -> Iterator[Any]:
        """Yields the documents, and as COUNTS what was read."""
        keys, texts = batch
        kept = [row for row, key in enumerate(keys) if key not in self._work.held_out]
        documents = self._reader.documents(
            [keys[row] for row in kept], [texts[row] for row in kept], self._work.config.seed
        )
        yield documents
        counts = Counter(
            read=len(keys),
            held_out=len(keys) - len(kept),
            without_tokens=len(kept) - len(documents),
        )
        yield beam.pvalue.TaggedOutput(COUNTS, self._work.totals(counts))


class Write(beam.DoFn):
    """(shard, Documents) -> what was written, and found right when read again.

    While a thread writes and checks one shard, the next one's rows are made.
    """

    def __init__(self, work: Work):
        self._work = work

    def setup(self) -> None:
        """Finds the special ids, and starts the thread."""
        self._frame = text_reader(self._work.config, self._work.vocabulary).frame
        self._thread = futures.ThreadPoolExecutor(max_workers=1)

    def start_bundle(self) -> None:
        """Nothing is being written."""
        self._writing: list[futures.Future[Counter[str]]] = []

    def process(self, element: tuple[int, Iterable[Documents]], shards: int) -> Iterator[Totals]:
        """Makes a shard's rows and begins to write them."""
        shard, parts = element
        work = self._work
        path = os.path.join(work.folder, f"data_tfrecord-{shard:05}-of-{shards:05}.gz")
        documents = Documents.joined(list(parts))
        seed = f"{work.config.seed} {work.split} {shard}"
        rows, counts = make_rows(documents, seed, self._frame, work.config)
        yield work.totals(counts)
        yield from self._written()
        self._writing.append(self._thread.submit(write_checked, rows, path, work.held_out))

    def finish_bundle(self) -> Iterator[Any]:
        """Waits for the last shard."""
        yield from map(beam.transforms.window.GlobalWindows.windowed_value, self._written())

    def teardown(self) -> None:
        """Ends the thread."""
        self._thread.shutdown()

    def _written(self) -> Iterator[Totals]:
        """Waits for the shard that is being written, so that there is never more than one."""
        while self._writing:
            yield self._work.totals(self._writing.pop().result())


def count_shards(documents: int, documents_per_shard: int) -> int:
    """How many files a split gets."""
    return max(1, round(documents / documents_per_shard))


def divide(documents: Documents, shards: int) -> Iterator[tuple[int, Documents]]:
    """Yields each shard's number with its documents."""
    numbers = np.array([shard_of(key, shards) for key in documents.keys], np.int64)
    for shard in np.unique(numbers).tolist():
        yield shard, documents.take(np.flatnonzero(numbers == shard))


def read(path: str) -> Iterator[Texts]:
    """Yields batches of a gzipped TFRecord file's keys and texts."""
    for columns in read_columns(path, ["key", "text"]):
        yield columns["key"], columns["text"]


def sum_counts(counts: Iterable[Totals]) -> Totals:
    """All of them together, for Beam's CombineGlobally."""
    total: Totals = Counter()
    for part in counts:
        total.update(part)
    return total
