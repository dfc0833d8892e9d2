"""The Beam pipeline from raw examples to a vocabulary and its report."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.artifact_file import write_artifact_file
from components.beam_executor import BeamExecutor, split_files
from components.example_files import read_columns
from components.vocabulary_gen.config import VocabularyConfig
from components.vocabulary_gen.learners import learn_bpe, learn_wordpiece
from components.vocabulary_gen.measures import Kind, count_words, measure

SPLITS = ["train", "eval"]
REPORT_FILE = "report.json"
_MOST_WORDS = 1_000_000  # of a bundle, before they are given on
_MOST_LEARNED = 2_000_000  # words; the learner is one process, and rarer ones form no piece
_Totals = Counter[tuple[str, str]]  # by split and name


class Executor(BeamExecutor):
    """Writes the vocabulary, and what it makes of the splits train and eval.

    The words are counted by all workers; one of them learns, from the two million commonest in a fixed order.
    The vocabulary is the same whatever the number of workers and the files' division.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs the pipeline.

        Args:
            input_dict: `examples`, with `text`.
            output_dict: `vocabulary`.
            exec_properties: `config`, a JSON dump of VocabularyConfig.

        Raises:
            ValueError: a split is missing, the vocabulary to import does not serve our tokenizer, or none can
                be learned from the train split.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = VocabularyConfig.model_validate_json(exec_properties["config"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        uri = artifact_utils.get_single_uri(output_dict["vocabulary"])
        files = {split: split_files(examples, split) for split in SPLITS}
        given = _read_given(config)
        fileio.makedirs(uri)

        with self._make_beam_pipeline() as pipeline:
            texts = {split: _texts(pipeline, split, files[split]) for split in SPLITS}
            counts = {split: _counts(texts[split], split, config.kind) for split in SPLITS}
            if given is None:
                vocabulary = (
                    counts["train"]
                    | "GatherWords" >> commonest(_MOST_LEARNED)
                    | "Learn" >> beam.Map(_learn, config)
                )
            else:
                vocabulary = pipeline | "Given" >> beam.Create([given])
            file = os.path.join(uri, config.file_name)
            _ = vocabulary | "WriteVocabulary" >> beam.Map(partial(write_artifact_file, file))
            totals = [_words(counts[split], split) for split in SPLITS]
            totals += [_pieces(texts[split], split, config.kind, vocabulary) for split in SPLITS]
            _ = (
                totals
                | "AllTotals" >> beam.Flatten()
                | "SumTotals" >> beam.CombineGlobally(_sum)
                | "Report" >> beam.Map(_report, beam.pvalue.AsSingleton(vocabulary), config.kind)
                | "WriteReport"
                >> beam.Map(partial(write_artifact_file, os.path.join(uri, REPORT_FILE)))
            )


def commonest(most: int) -> beam.PTransform:
    """(word, its number), …  → one list of those that occur most, of equal ones the first in the alphabet.

    Args:
        most: words of the list, which one worker holds.
    """
    return beam.combiners.Top.Of(most, key=lambda count: (-count[1], count[0]), reverse=True)


class _CountWords(beam.DoFn):
    """Batches of texts -> (word, its number in a bundle)."""

    def __init__(self, kind: Kind):
        self._kind = kind

    def start_bundle(self) -> None:
        self._counts: Counter[str] = Counter()

    def process(self, texts: list[bytes]) -> Iterator[tuple[str, int]]:
        self._counts.update(count_words(self._kind, texts))
        if len(self._counts) > _MOST_WORDS:
            yield from self._counts.items()
            self._counts.clear()

    def finish_bundle(self) -> Iterator[Any]:
        yield from map(beam.transforms.window.GlobalWindows.windowed_value, self._counts.items())


def _read_given(config: VocabularyConfig) -> bytes | None:
    """The vocabulary to import; a wrong one is an error before any work."""
    if config.path is None:
        return None
    with fileio.open(config.path, "rb") as file:
        content = file.read()
    try:
        measure(config.kind, content)
    except ValueError as error:
        raise ValueError(f"vocabulary.path {config.path}: {error}") from error
    return content


def _texts(pipeline: beam.Pipeline, split: str, files: list[str]) -> beam.PCollection[list[bytes]]:
    return (
        pipeline
        | f"Files[{split}]" >> beam.Create(files)
        | f"Read[{split}]" >> beam.FlatMap(_read)
        | f"Spread[{split}]" >> beam.Reshuffle()
    )


def _read(path: str) -> Iterator[list[bytes]]:
    for columns in read_columns(path, ["text"]):
        yield columns["text"]


def _counts(
    texts: beam.PCollection[list[bytes]], split: str, kind: Kind
) -> beam.PCollection[tuple[str, int]]:
    return (
        texts
        | f"CountWords[{split}]" >> beam.ParDo(_CountWords(kind))
        | f"SumWords[{split}]" >> beam.CombinePerKey(sum)
    )


def _learn(counts: list[tuple[str, int]], config: VocabularyConfig) -> bytes:
    assert config.size is not None  # there is no path
    learn = learn_wordpiece if config.kind == "wordpiece" else learn_bpe
    return learn(counts, config.size)


def _words(counts: beam.PCollection[tuple[str, int]], split: str) -> beam.PCollection[_Totals]:
    return (
        counts
        | f"Words[{split}]"
        >> beam.Map(lambda item: Counter({(split, "words"): item[1], (split, "distinct_words"): 1}))
        | f"AllWords[{split}]" >> beam.CombineGlobally(_sum)
    )


def _pieces(
    texts: beam.PCollection[list[bytes]],
    split: str,
    kind: Kind,
    vocabulary: beam.PCollection[bytes],
) -> beam.PCollection[_Totals]:
    def count(batch: list[bytes], content: bytes) -> _Totals:
        found = measure(kind, content).pieces(batch)
        found["texts"] = len(batch)
        return Counter({(split, name): number for name, number in found.items()})

    return texts | f"Pieces[{split}]" >> beam.Map(count, beam.pvalue.AsSingleton(vocabulary))


def _report(totals: _Totals, vocabulary: bytes, kind: Kind) -> bytes:
    splits = {}
    for split in SPLITS:
        names = ("texts", "words", "distinct_words", "pieces")
        counts: dict[str, float] = {name: totals[split, name] for name in names}
        whole = counts["words" if kind == "wordpiece" else "pieces"]
        counts["unknown"] = totals[split, "unknown"]
        counts["unknown_rate"] = round(counts["unknown"] / max(whole, 1), 6)
        counts["coverage"] = round(1 - counts["unknown"] / max(whole, 1), 6)
        counts["pieces_per_word"] = round(counts["pieces"] / max(counts["words"], 1), 4)
        splits[split] = counts
    document = {"kind": kind, "tokens": measure(kind, vocabulary).size, "splits": splits}
    return json.dumps(document, indent=1).encode()


def _sum(totals: Iterable[_Totals]) -> _Totals:
    total: _Totals = Counter()
    for part in totals:
        total.update(part)
    return total
