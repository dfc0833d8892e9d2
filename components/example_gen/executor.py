"""The Beam pipeline every ExampleGen runs: files to readers to splits, quarantine and counts."""

import abc
import collections
import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
from tfx import types
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs

from components.beam_executor import BeamExecutor
from components.example_gen import quarantine
from components.example_gen.config import ExampleGenConfig, SplitConfig
from components.example_gen.driver import READER_CONFIG_KEY, SPANS_PROPERTY
from components.example_gen.files import GZIP_ERRORS, gzip_damage
from components.example_gen.grouping import representatives, sketch_batch
from components.example_gen.input_files import InputFile, find_input_files
from components.example_gen.records import (
    Filtered,
    Outcome,
    Reader,
    Record,
    Rejected,
    serialize,
)
from components.example_gen.splits import assign_split, check_key
from components.example_gen.superseded import SUPERSEDED, part_superseded

QUARANTINE_KEY = "quarantine"
_Totals = collections.Counter[tuple[str, str]]  # by (field of quarantine.Counts, split or reason)
_ADMITTED = "admitted"
_REJECTED = "rejected"
_COUNTS = "counts"
_BATCH = 1024  # records that are sketched at once


class ExampleGenExecutor(BeamExecutor, abc.ABC):
    """Writes the splits of `examples` and the `quarantine` artifact.

    Nothing groups or shuffles records: they stream from the reader into the output files, so memory
    depends neither on the size nor on the number of the input files. Only `group_near_duplicates` must see
    all texts, and a window of several spans all keys, before the first record finds its split.
    """

    @abc.abstractmethod
    def make_reader(self, reader_config: str) -> tuple[Reader, ExampleGenConfig]:
        """The reader and its settings, from the settings as JSON."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads every file that matches the input patterns the driver resolved.

        Where no driver was called (Kubeflow Pipelines calls none), spans are resolved here. Bad rows are
        quarantined, never an error.

        Raises:
            InputError: no file matches, or the settings do not fit the files.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        input_base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
        reader, config = self.make_reader(exec_properties[READER_CONFIG_KEY])
        files = find_input_files(
            input_base, exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config.spans
        )
        reader.check([file.path for file in files])

        names = config.splits.names
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        examples.split_names = artifact_utils.encode_split_names(names)
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        spans = list(dict.fromkeys(file.span for file in files if file.span is not None))
        if spans:
            examples.set_string_custom_property(SPANS_PROPERTY, " ".join(map(str, spans)))
        rejects_uri = artifact_utils.get_single_uri(output_dict[QUARANTINE_KEY])

        with self._make_beam_pipeline() as pipeline:
            outcomes = (
                pipeline
                | "Files" >> beam.Create(files)
                | "Read"
                >> beam.ParDo(_ReadFile(reader, config, input_base)).with_outputs(
                    _REJECTED, _COUNTS, main=_ADMITTED
                )
            )
            kept, superseded = outcomes[_ADMITTED], None
            if len(spans) > 1:
                kept, superseded = part_superseded(kept)
            splits = _divide(kept, config.splits)
            for name in names:
                prefix = os.path.join(artifact_utils.get_split_uri([examples], name), "examples")
                _ = splits[name] | f"Write[{name}]" >> beam.io.WriteToTFRecord(
                    prefix, file_name_suffix=".gz"
                )
            _write_rejected(outcomes[_REJECTED], rejects_uri)
            _write_counts(outcomes, superseded, splits, names, rejects_uri)


class _Admitted(NamedTuple):
    """A usable record: its key, its span (0 where there are none), its group, which decides its split, its
    text and its serialized example.
    """

    key: str
    span: int
    group: str
    text: str
    example: bytes


class _ReadFile(beam.DoFn):
    """InputFile -> _Admitted, (reason, JSON line) of rejected, _Totals of a file."""

    def __init__(self, reader: Reader, config: ExampleGenConfig, input_base: str):
        self._reader = reader
        self._config = config
        self._input_base = input_base

    def process(self, file: InputFile) -> Iterator[Any]:
        source = os.path.relpath(file.path, self._input_base)
        counts: _Totals = collections.Counter()
        for outcome in self._outcomes(file.path):
            counts["read", ""] += 1
            if isinstance(outcome, Filtered):
                counts["filtered_by_reason", outcome.reason] += 1
                continue
            admitted = self._admit(outcome, file.span) if isinstance(outcome, Record) else outcome
            if isinstance(admitted, Rejected):
                row = (admitted.reason, admitted.to_json(source))
                yield beam.pvalue.TaggedOutput(_REJECTED, row)
            else:
                yield admitted
        yield beam.pvalue.TaggedOutput(_COUNTS, counts)

    def _outcomes(self, path: str) -> Iterator[Outcome]:
        """The reader's outcomes; where the file is cut, one rejection more."""
        position = "start of file"
        try:
            for number, outcome in enumerate(self._reader.read(path), start=1):
                yield outcome
                position = f"after record {number}"
        except GZIP_ERRORS as error:
            yield Rejected(position, *gzip_damage(error))

    def _admit(self, record: Record, span: int | None) -> _Admitted | Rejected:
        """The record as it will be written, or why it can't be used."""
        if span is not None:
            features = {**record.features, "span": [str(span)]}
            record = dataclasses.replace(record, features=features)

        def rejected(reason: str, detail: str) -> Rejected:
            return Rejected(record.position, reason, f"key {record.key}: {detail}", record.text)

        if not record.text.strip():
            return rejected("empty_text", "there is no text")
        if "\0" in record.text:
            return rejected("nul_byte", "the text holds a NUL character")
        try:
            size = len(record.text.encode())
            if size > self._config.max_text_bytes:
                limit = self._config.max_text_bytes
                return rejected("too_large", f"{size} bytes of text; max_text_bytes is {limit}")
            example = serialize(record)
        except UnicodeEncodeError as error:
            return rejected("invalid_utf8", f"character {error.start} is half of a pair: {error}")
        group = _group(record, self._config.splits)
        if not group:
            detail = f"group_column {self._config.splits.group_column!r} is empty"
            return rejected("empty_group", detail)
        try:
            check_key(group, self._config.splits)
        except ValueError as error:
            return rejected("bad_key", str(error))
        return _Admitted(record.key, span or 0, group, record.text, example)


class _Divide(beam.DoFn):
    """_Admitted -> serialized examples by split."""

    def __init__(self, config: SplitConfig):
        self._config = config

    def process(self, admitted: _Admitted, joined: dict[str, str]) -> Iterator[Any]:
        group = joined.get(admitted.group, admitted.group)
        yield beam.pvalue.TaggedOutput(assign_split(group, self._config), admitted.example)


class _Tally(beam.DoFn):
    """Anything -> _Totals of a bundle."""

    def __init__(self, name: Callable[[Any], tuple[str, str]]):
        self._name = name

    def start_bundle(self) -> None:
        self._counts: _Totals = collections.Counter()

    def process(self, element: Any) -> None:
        self._counts[self._name(element)] += 1

    def finish_bundle(self) -> Iterator[Any]:
        yield beam.transforms.window.GlobalWindows.windowed_value(self._counts)


def _group(record: Record, config: SplitConfig) -> str:
    """What decides the record's split; "" if it should have a group and has none."""
    if config.group_column is None:
        return record.key
    return " ".join(map(str, record.features.get(config.group_column, ()))).strip()


def _divide(admitted: beam.PCollection[_Admitted], config: SplitConfig) -> Any:
    """The serialized examples, a collection for each split."""
    joined: Any = {}
    if config.group_near_duplicates:
        joined = beam.pvalue.AsSingleton(
            admitted
            | "GroupAndText" >> beam.Map(lambda record: (record.group, record.text))
            | "Batch" >> beam.BatchElements(min_batch_size=_BATCH, max_batch_size=_BATCH)
            | "Sketch" >> beam.Map(sketch_batch, config.near_duplicates)
            | "GatherSketches" >> beam.combiners.ToList()
            | "Join" >> beam.Map(representatives, config.near_duplicates)
        )
    return admitted | "Divide" >> beam.ParDo(_Divide(config), joined).with_outputs(*config.names)


def _write_rejected(rejected: beam.PCollection, uri: str) -> None:
    _ = (
        rejected
        | "RejectedLines" >> beam.Values()
        | "WriteRejected"
        >> beam.io.WriteToText(
            os.path.join(uri, quarantine.REJECTED_PREFIX),
            file_name_suffix=quarantine.REJECTED_SUFFIX,
        )
    )


def _write_counts(
    outcomes: Any,
    superseded: beam.PCollection[_Admitted] | None,
    splits: Any,
    split_names: list[str],
    uri: str,
) -> None:
    """Counts what is written, so that it can be held against what was read."""
    tallies = [
        splits[name] | f"TallyKept[{name}]" >> beam.ParDo(_Tally(functools.partial(_kept, name)))
        for name in split_names
    ]
    tallies.append(outcomes[_REJECTED] | "TallyRejected" >> beam.ParDo(_Tally(_quarantined)))
    if superseded is not None:
        why = ("filtered_by_reason", SUPERSEDED)
        tallies.append(superseded | "TallySuperseded" >> beam.ParDo(_Tally(lambda _: why)))
    _ = (
        (*tallies, outcomes[_COUNTS])
        | "AllCounts" >> beam.Flatten()
        | "SumCounts" >> beam.CombineGlobally(_sum_counts)
        | "CheckCounts" >> beam.Map(quarantine.Counts.of, split_names)
        | "WriteCounts" >> beam.Map(quarantine.write_counts, uri)
    )


def _kept(split: str, _: bytes) -> tuple[str, str]:
    return "kept_by_split", split


def _quarantined(row: tuple[str, str]) -> tuple[str, str]:
    return "quarantined_by_reason", row[0]


def _sum_counts(counts: Iterable[_Totals]) -> _Totals:
    return sum(counts, collections.Counter())
