"""The Beam pipeline from raw documents to packed rows of token ids."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent import futures
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components.beam_executor import BeamExecutor, split_files
from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.pretrain_example_gen.documents import Documents
from components.pretrain_example_gen.held_out import HeldOut
from components.pretrain_example_gen.shards import make_rows, write_checked, write_report
from components.pretrain_example_gen.text import (
    TextReader,
    shard_of,
    text_reader,
)
from components.vocabulary_gen.config import SENTENCEPIECE_FILE, WORDPIECE_FILE

SPLITS = ["train", "eval"]
VOCABULARY_FOLDER = "vocabulary"
_READ_BATCH = 1024
_COUNTS = "counts"
_Texts = tuple[list[bytes], list[bytes]]  # keys, texts
_Totals = Counter[tuple[str, str]]  # by split and name


class Executor(BeamExecutor):
    """Writes the train and eval splits as rows for pretraining.

    A document's shard is a hash of its key, its place in the shard a hash of key, text and seed, and all
    random choices follow from the seed and the shard: the files are the same whatever the number of workers.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs the pipeline.

        Args:
            input_dict: `examples`, with `key` and `text`, and `vocabulary`, one artifact each.
            output_dict: `pretrain_examples`.
            exec_properties: `config`, a JSON dump of PretrainExamplesConfig.

        Raises:
            ValueError: a split is missing or gives no row, the vocabulary is not the objective's, or a key
                does not fit the rule.
            HeldOutError: a held-out document was written.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = PretrainExamplesConfig.model_validate_json(exec_properties["config"])
        source = artifact_utils.get_single_instance(input_dict["examples"])
        target = artifact_utils.get_single_instance(output_dict["pretrain_examples"])
        files = {split: split_files(source, split) for split in SPLITS}
        target.split_names = artifact_utils.encode_split_names(SPLITS)
        examples_utils.set_payload_format(target, example_gen_pb2.FORMAT_TF_EXAMPLE)
        vocabulary = os.path.join(target.uri, VOCABULARY_FOLDER)
        _copy_vocabulary(artifact_utils.get_single_uri(input_dict["vocabulary"]), vocabulary)
        text_reader(config, vocabulary)  # a wrong vocabulary is an error before any work
        held_out = HeldOut(config)

        with self._make_beam_pipeline() as pipeline:
            counts = []
            for split in SPLITS:
                folder = artifact_utils.get_split_uri([target], split)
                fileio.makedirs(folder)
                work = _Work(split, config, held_out, vocabulary, folder)
                counts += _split(pipeline, files[split], work)
            _ = (
                counts
                | "AllCounts" >> beam.Flatten()
                | "SumCounts" >> beam.CombineGlobally(_sum)
                | "Report" >> beam.Map(write_report, target.uri, SPLITS, config)
            )


class _Work:
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

    def totals(self, counts: Counter[str]) -> _Totals:
        return Counter({(self.split, name): n for name, n in counts.items()})


def _split(
    pipeline: beam.Pipeline, files: list[str], work: _Work
) -> list[beam.PCollection[_Totals]]:
    """Writes the rows of a split; gives what was counted on the way."""
    name = work.split
    tokenized = (
        pipeline
        | f"Files[{name}]" >> beam.Create(files)
        | f"Read[{name}]" >> beam.FlatMap(_read)
        | f"Spread[{name}]" >> beam.Reshuffle()
        | f"Tokenize[{name}]" >> beam.ParDo(_Tokenize(work)).with_outputs(_COUNTS, main="documents")
    )
    shards = beam.pvalue.AsSingleton(
        tokenized["documents"]
        | f"Count[{name}]" >> beam.Map(len)
        | f"CountAll[{name}]" >> beam.CombineGlobally(sum)
        | f"Shards[{name}]" >> beam.Map(_shards, work.config.documents_per_shard)
    )
    written = (
        tokenized["documents"]
        | f"Divide[{name}]" >> beam.FlatMap(_divide, shards)
        | f"Shard[{name}]" >> beam.GroupByKey()
        | f"Write[{name}]" >> beam.ParDo(_Write(work), shards)
    )
    return [tokenized[_COUNTS], written]


class _Tokenize(beam.DoFn):
    """Keys and texts -> Documents and what was read and left out."""

    def __init__(self, work: _Work):
        self._work = work

    def setup(self) -> None:
        self._reader: TextReader = text_reader(self._work.config, self._work.vocabulary)

    def process(self, batch: _Texts) -> Iterator[Any]:
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
        yield beam.pvalue.TaggedOutput(_COUNTS, self._work.totals(counts))


class _Write(beam.DoFn):
    """(shard, Documents) -> what was written, and found right when read again.

    While a thread writes and checks one shard, the next one's rows are made.
    """

    def __init__(self, work: _Work):
        self._work = work

    def setup(self) -> None:
        self._frame = text_reader(self._work.config, self._work.vocabulary).frame
        self._thread = futures.ThreadPoolExecutor(max_workers=1)

    def start_bundle(self) -> None:
        self._writing: list[futures.Future[Counter[str]]] = []

    def process(self, element: tuple[int, Iterable[Documents]], shards: int) -> Iterator[_Totals]:
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
        yield from map(beam.transforms.window.GlobalWindows.windowed_value, self._written())

    def teardown(self) -> None:
        self._thread.shutdown()

    def _written(self) -> Iterator[_Totals]:
        """Waits for the shard that is being written, so that there is never more than one."""
        while self._writing:
            yield self._work.totals(self._writing.pop().result())


def _copy_vocabulary(source: str, target: str) -> None:
    fileio.makedirs(target)
    for name in (WORDPIECE_FILE, SENTENCEPIECE_FILE):
        if fileio.exists(os.path.join(source, name)):
            fileio.copy(os.path.join(source, name), os.path.join(target, name), overwrite=True)


def _shards(documents: int, documents_per_shard: int) -> int:
    return max(1, round(documents / documents_per_shard))


def _divide(documents: Documents, shards: int) -> Iterator[tuple[int, Documents]]:
    numbers = np.array([shard_of(key, shards) for key in documents.keys], np.int64)
    for shard in np.unique(numbers).tolist():
        yield shard, documents.take(np.flatnonzero(numbers == shard))


def _read(path: str) -> Iterator[_Texts]:
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in ("key", "text")}
    records = tf.data.TFRecordDataset(path, compression_type="GZIP")
    for serialized in records.batch(_READ_BATCH).prefetch(1):
        rows = tf.io.parse_example(serialized, spec)
        yield rows["key"].numpy().tolist(), rows["text"].numpy().tolist()


def _sum(counts: Iterable[_Totals]) -> _Totals:
    total: _Totals = Counter()
    for part in counts:
        total.update(part)
    return total
