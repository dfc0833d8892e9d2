"""Everything that a model card is filled from."""

import dataclasses
import json
import os
from typing import Any

from tfx.dsl.io import fileio

from components.data_audit.report import Audit, Overlap
from components.evaluator.verdict import Verdict
from components.example_gen.quarantine import Counts
from components.model_card.config import ModelCardConfig, Origin
from models.config import ClassifierConfig


@dataclasses.dataclass(frozen=True)
class Facts:
    """Facts of one model.

    Attributes:
        origin: what it was made of.
        stated: what people said of it.
        run_id: of the run that made the card.
        date: of that run's card, ISO 8601.
        model: size and classes.
        trained: `training_metrics.json`.
        counts: of the data's rows.
        data_hash: fingerprint of the data files, if there is one.
        audit: what was found of duplicates and leakage.
        verdict: the gate's.
        serving_reason: why the serving check refused the model; empty if it did not.
    """

    origin: Origin
    stated: ModelCardConfig
    run_id: str
    date: str
    model: ClassifierConfig
    trained: dict[str, Any]
    counts: Counts
    data_hash: str | None
    audit: Audit
    verdict: Verdict
    serving_reason: str

    @property
    def leaked(self) -> Overlap:
        """Test examples with a duplicate in the train split."""
        return self.audit.overlap("test", "train")

    @property
    def is_blessed(self) -> bool:
        """By the gate and by the serving check."""
        return self.verdict.blessed and not self.serving_reason

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not blessed, a sentence each."""
        served = (f"serving: {self.serving_reason}",) if self.serving_reason else ()
        return self.verdict.reasons + served


def read_model(uri: str) -> tuple[ClassifierConfig, dict[str, Any]]:
    """Config and training metrics of the Trainer's model artifact."""
    config = ClassifierConfig.model_validate_json(_text(uri, "classifier", "config.json"))
    return config, json.loads(_text(uri, "training_metrics.json"))


def _text(*parts: str) -> str:
    with fileio.open(os.path.join(*parts)) as file:
        return file.read()
