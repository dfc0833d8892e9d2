"""The Beam pipeline from raw examples to what is wrong with their splits."""

import json
import logging
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.beam_executor import BeamExecutor, split_files
from components.data_audit.audit import audit_examples
from components.data_audit.config import AuditConfig, Pretraining
from components.data_audit.examples import AuditedExamples
from components.data_audit.limits import check
from components.data_audit.pretraining import key_files, pretraining_overlap, seen_keys
from components.data_audit.report import Audit
from components.example_files import label_text, read_labelled
from components.near_duplicates.config import NearDuplicateConfig
from models.config import TaskName

logger = logging.getLogger("sciformer")
_TEST = "test"
_Rows = tuple[list[str], list[str], list[str]]  # keys, labels, texts


class Executor(BeamExecutor):
    """Writes `audit.json`, and stops the line if a limit is broken.

    All workers read and sketch; one of them gathers the sketches, about 2 kB of an abstract, and compares.
    The audit is the same whatever the number of workers and the files' division.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs the pipeline.

        Args:
            input_dict: `examples`, with `key`, `text` and perhaps `text_pair` and `label`.
            output_dict: `audit`.
            exec_properties: `config` and `near_duplicates`, JSON dumps of AuditConfig and
                NearDuplicateConfig, `pretraining`, one of the fields of Pretraining, and `task`, what the
                labels are.

        Raises:
            DataAuditError: a limit is broken.
            ValueError: the pretraining data is not where it should be.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = AuditConfig.model_validate_json(exec_properties["config"])
        near = NearDuplicateConfig.model_validate_json(exec_properties["near_duplicates"])
        pretraining = Pretraining(**json.loads(exec_properties["pretraining"]))
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        uri = artifact_utils.get_single_uri(output_dict["audit"])
        splits = artifact_utils.decode_split_names(examples.split_names)
        files = {split: split_files(examples, split) for split in splits}
        fileio.makedirs(uri)
        with self._make_beam_pipeline() as pipeline:
            task = exec_properties["task"]
            parts = {split: _parts(pipeline, split, files[split], near, task) for split in splits}
            tests = beam.pvalue.AsSingleton(_keys(pipeline, parts.get(_TEST)))
            seen = (
                pipeline
                | "KeyFiles" >> beam.Create(key_files(pretraining))
                | "Seen" >> beam.FlatMap(seen_keys, pretraining, tests)
                | "GatherSeen" >> beam.combiners.ToList()
            )
            _ = (
                list(parts.values())
                | "AllParts" >> beam.Flatten()
                | "Gather" >> beam.combiners.ToList()
                | "Audit"
                >> beam.Map(_audit, tests, beam.pvalue.AsSingleton(seen), splits, near, pretraining)
                | "Write" >> beam.Map(lambda audit: audit.write(uri))
            )
        audit = Audit.read(uri)
        for warning in audit.warnings:
            logger.info("%s", warning)
        check(audit, config, uri)


def _parts(
    pipeline: beam.Pipeline,
    split: str,
    files: list[str],
    near: NearDuplicateConfig,
    task: TaskName,
) -> beam.PCollection[AuditedExamples]:
    return (
        pipeline
        | f"Files[{split}]" >> beam.Create(files)
        | f"Read[{split}]" >> beam.FlatMap(_read, task)
        | f"Spread[{split}]" >> beam.Reshuffle()
        | f"Sketch[{split}]" >> beam.Map(_audited, split, near)
    )


def _audited(rows: _Rows, split: str, near: NearDuplicateConfig) -> AuditedExamples:
    keys, labels, texts = rows
    return AuditedExamples.of(split, keys, labels, texts, near)


def _read(path: str, task: TaskName) -> Iterator[_Rows]:
    for columns in read_labelled(path, task):
        yield columns["key"], [label_text(label) for label in columns["label"]], columns["text"]


def _keys(
    pipeline: beam.Pipeline, tests: beam.PCollection[AuditedExamples] | None
) -> beam.PCollection[frozenset[bytes]]:
    """The keys of all test examples."""
    found = pipeline | "NoTests" >> beam.Create([]) if tests is None else tests
    return (
        found
        | "TestKeys" >> beam.Map(lambda part: frozenset(key.encode() for key in part.keys))
        | "AllTestKeys" >> beam.CombineGlobally(_union)
    )


def _union(parts: Iterable[frozenset[bytes]]) -> frozenset[bytes]:
    return frozenset().union(*parts)


def _audit(
    parts: list[AuditedExamples],
    tests: frozenset[bytes],
    seen: list[bytes],
    splits: list[str],
    near: NearDuplicateConfig,
    pretraining: Pretraining,
) -> Audit:
    if not parts:
        raise ValueError("there are no examples to audit")
    overlap = pretraining_overlap(pretraining, sorted(tests), seen)
    return audit_examples(AuditedExamples.joined(parts), splits, near, overlap)
