"""ModelCard's work: gather the facts, write them twice."""

import datetime
import json
import os
from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.artifact_file import write_artifact_file
from components.data_audit.report import Audit
from components.evaluator.verdict import Verdict
from components.example_gen.quarantine import read_counts
from components.model_card.artifact import JSON_FILE, MARKDOWN_FILE
from components.model_card.card import build_card
from components.model_card.config import ModelCardConfig, Origin
from components.model_card.facts import Facts, read_model
from components.model_card.markdown import card_text
from components.pushed_data.training_data import write_training_data
from components.serving_validator.executor import REASON_PROPERTY

_FINGERPRINT = "input_fingerprint"  # of the data files, on an ExampleGen's examples


class Executor(base_executor.BaseExecutor):
    """Writes `model_card`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fills the card, whether the model is blessed or not.

        Args:
            input_dict: `model`, `evaluation`, `infra_blessing`, `examples`, `quarantine`, `audit`,
                `statistics` and `anomalies`, one artifact each.
            output_dict: `model_card` gets `model_card.md` and `model_card.json`, and what later data will be
                compared with.
            exec_properties: `origin` and `stated`, dumps of Origin and ModelCardConfig.
        """
        single = {
            key: artifact_utils.get_single_instance(value) for key, value in input_dict.items()
        }
        facts = self._facts(single, exec_properties)
        folder = artifact_utils.get_single_uri(output_dict["model_card"])
        card = json.dumps(build_card(facts), indent=1, ensure_ascii=False) + "\n"
        for name, text in ((JSON_FILE, card), (MARKDOWN_FILE, card_text(facts))):
            write_artifact_file(os.path.join(folder, name), text)
        write_training_data(single["statistics"], single["anomalies"], folder)

    def _facts(self, single: dict[str, types.Artifact], exec_properties: dict[str, Any]) -> Facts:
        model, trained = read_model(single["model"].uri)
        infra = single["infra_blessing"]
        reason = infra.get_string_custom_property(REASON_PROPERTY)
        if not (reason or model_utils.is_infra_validated(infra)):
            reason = "the serving check gave no blessing"
        return Facts(
            origin=Origin.model_validate_json(exec_properties["origin"]),
            stated=ModelCardConfig.model_validate_json(exec_properties["stated"]),
            run_id=self._context.pipeline_run_id or "unknown",
            date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            model=model,
            trained=trained,
            counts=read_counts(single["quarantine"].uri),
            data_hash=single["examples"].get_string_custom_property(_FINGERPRINT) or None,
            audit=Audit.read(single["audit"].uri),
            verdict=Verdict.read(single["evaluation"].uri),
            serving_reason=reason,
        )
