"""The Beam pipeline every ExampleGen runs: files to readers to splits, quarantine and counts."""

import abc
import collections
import dataclasses
import operator
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam
from tfx import types
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs

from components.beam_executor import BeamExecutor
from components.example_gen import undivided
from components.example_gen.accounts import READ, Totals, write_accounts
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
UNDIVIDED_KEY = "undivided"
_ADMITTED = "admitted"
_REJECTED = "rejected"
_COUNTS = "counts"
_BATCH = 1024  # records that are sketched at once


class ExampleGenExecutor(BeamExecutor, abc.ABC):
    """Writes the splits of `examples` and the `quarantine` artifact.

    Nothing groups or shuffles records: they stream from the reader into the output files, so memory
    depends neither on the size nor on the number of the input files. Only `group_near_duplicates` must see
    all texts, and a window of several spans all keys, before the first record finds its split.

    With the property `undivided`, all examples are one split, `all`: what a model is to be asked. They hold
    no labels and none of the settings' features, but also `source`, the file's path in the input folder, and
    `position`, where in the file, for people.
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

        is_undivided = bool(exec_properties.get(UNDIVIDED_KEY))
        names = [undivided.SPLIT] if is_undivided else config.splits.names
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
                >> beam.ParDo(_ReadFile(reader, config, input_base, is_undivided)).with_outputs(
                    _REJECTED, _COUNTS, main=_ADMITTED
                )
            )
            kept, superseded = outcomes[_ADMITTED], None
            if len(spans) > 1:
                kept, superseded = part_superseded(kept)
            if is_undivided:
                splits = {undivided.SPLIT: kept | beam.Map(operator.attrgetter("example"))}
            else:
                splits = _divide(kept, config.splits)
            for name in names:
                prefix = os.path.join(artifact_utils.get_split_uri([examples], name), "examples")
                _ = splits[name] | f"Write[{name}]" >> beam.io.WriteToTFRecord(
                    prefix, file_name_suffix=".gz"
                )
            write_accounts(
                outcomes[_COUNTS],
                {name: splits[name] for name in names},
                outcomes[_REJECTED],
                rejects_uri,
                filtered={SUPERSEDED: superseded} if superseded else {},
            )


class _Admitted(NamedTuple):
    """A usable record: its key, its span (0 where there are none), its group, which decides its split, its
    text or texts and its serialized example.
    """

    key: str
    span: int
    group: str
    text: str
    example: bytes


class _ReadFile(beam.DoFn):
    """InputFile -> _Admitted, (reason, JSON line) of rejected, Totals of a file."""

    def __init__(
        self, reader: Reader, config: ExampleGenConfig, input_base: str, is_undivided: bool
    ):
        self._reader = reader
        self._config = config
        self._input_base = input_base
        self._is_undivided = is_undivided

    def process(self, file: InputFile) -> Iterator[Any]:
        source = os.path.relpath(file.path, self._input_base)
        counts: Totals = collections.Counter()
        for outcome in self._outcomes(file.path):
            counts[READ] += 1
            if isinstance(outcome, Filtered):
                counts["filtered_by_reason", outcome.reason] += 1
                continue
            if isinstance(outcome, Record) and self._is_undivided:
                outcome = undivided.unlabelled(outcome, source)
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

        for name, text in zip(("text", "second text"), record.texts, strict=False):
            if not text.strip():
                return rejected("empty_text", f"there is no {name}")
            if "\0" in text:
                return rejected("nul_byte", f"the {name} holds a NUL character")
        try:
            size = max(len(text.encode()) for text in record.texts)
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
        return _Admitted(record.key, span or 0, group, "\n".join(record.texts), example)


class _Divide(beam.DoFn):
    """_Admitted -> serialized examples by split."""

    def __init__(self, config: SplitConfig):
        self._config = config

    def process(self, admitted: _Admitted, joined: dict[str, str]) -> Iterator[Any]:
        group = joined.get(admitted.group, admitted.group)
        yield beam.pvalue.TaggedOutput(assign_split(group, self._config), admitted.example)


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
