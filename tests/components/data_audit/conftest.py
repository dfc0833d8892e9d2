"""Runs the audit on rows, as TFX would."""

import dataclasses
import json
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts

from components.data_audit.artifact import DataAudit
from components.data_audit.audit import audit_examples
from components.data_audit.config import AuditConfig, Pretraining
from components.data_audit.examples import AuditedExamples
from components.data_audit.executor import Executor
from components.data_audit.limits import check
from components.data_audit.pretraining import key_files, pretraining_overlap, seen_keys
from components.data_audit.report import Audit
from components.near_duplicates.config import NearDuplicateConfig

NONE = Pretraining("none")
CONFIG = NearDuplicateConfig()
Splits = dict[str, list[tuple[str, str, str]]]  # rows (key, label, text)


def audit(splits: Splits, pretraining: Pretraining = NONE, **limits) -> Audit:
    """What the executor does, without files and Beam, which take seconds."""
    parts = [
        AuditedExamples.of(split, *zip(*rows, strict=True), CONFIG)
        for split, rows in splits.items()
        if rows
    ]
    keys = frozenset(key.encode() for key, _, _ in splits["test"])
    seen = [key for path in key_files(pretraining) for key in seen_keys(path, pretraining, keys)]
    overlap = pretraining_overlap(pretraining, sorted(keys), seen)
    found = audit_examples(AuditedExamples.joined(parts), list(splits), CONFIG, overlap)
    check(found, AuditConfig(**limits), "where it is")
    return found


class Auditor:
    """Examples in files, and what the executor makes of them."""

    def __init__(self, folder: Path):
        self.folder = folder

    def run(
        self, splits: Splits, pretraining: Pretraining = NONE, files: int = 1, **limits
    ) -> Audit:
        """Runs the executor."""
        examples, audit = standard_artifacts.Examples(), DataAudit()
        examples.uri, audit.uri = str(self.folder / "examples"), str(self.folder / "audit")
        examples.split_names = artifact_utils.encode_split_names(list(splits))
        for split, rows in splits.items():
            write_rows(self.folder / "examples" / f"Split-{split}", rows, files)
        Executor(Executor.Context(tmp_dir=str(self.folder), beam_pipeline_args=[])).Do(
            {"examples": [examples]},
            {"audit": [audit]},
            {
                "config": AuditConfig(**limits).model_dump_json(),
                "near_duplicates": CONFIG.model_dump_json(),
                "pretraining": json.dumps(dataclasses.asdict(pretraining)),
                "task": "single_label",
            },
        )
        return Audit.read(audit.uri)


def write_rows(folder: Path, rows: list[tuple[str, str, str]], files: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for part in range(files):
        path = folder / f"examples-{part:05}-of-{files:05}.gz"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for values in rows[part::files]:
                example = tf.train.Example()
                for name, value in zip(("key", "label", "text"), values, strict=True):
                    example.features.feature[name].bytes_list.value.append(value.encode())
                writer.write(example.SerializeToString())


@pytest.fixture(name="audit")
def audit_fixture():
    """The function above."""
    return audit


@pytest.fixture
def auditor(tmp_path) -> Auditor:
    return Auditor(tmp_path)
