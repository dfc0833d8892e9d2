"""Writes the decision, and why, into the blessing artifact."""

import json
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.components.evaluator import constants

from components.blessing import write_blessing
from components.evaluator.verdict import Rule, Verdict

REASONS_PROPERTY, RULES_PROPERTY = "reasons", "failed_rules"
_MAX_PROPERTY = 20_000  # characters that go into the metadata store


def bless(
    blessing: types.Artifact,
    verdict: Verdict,
    model: types.Artifact,
    blessed: types.Artifact | None,
    component: str | None,
    files: Mapping[str, str],
) -> None:
    """Says in the blessing artifact, as TFX's Evaluator does, what was decided, and beyond that why."""
    write_blessing(blessing, model, verdict.blessed, files, "Evaluator")
    if blessed is not None:
        blessing.set_string_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, blessed.uri
        )
        blessing.set_int_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, blessed.id
        )
    if component:
        blessing.set_string_custom_property("component_id", component)
    if not verdict.blessed:
        failed = [_summary(rule) for rule in verdict.rules if rule.blocks and not rule.is_met]
        blessing.set_string_custom_property(
            REASONS_PROPERTY, "\n".join(verdict.reasons)[:_MAX_PROPERTY]
        )
        blessing.set_string_custom_property(RULES_PROPERTY, _fitting(failed))


def _summary(rule: Rule) -> dict[str, Any]:
    """A rule without its sentence and its examples' texts, which verdict.json has."""
    summary = rule.model_dump(include={"name", "metric", "slice", "examples", "threshold"})
    return summary | rule.estimate.model_dump() | {"worst": [each.key for each in rule.worst]}


def _fitting(rules: list[dict[str, Any]]) -> str:
    """As many of the rules as the metadata store should hold, as JSON."""
    while len(text := json.dumps(rules)) > _MAX_PROPERTY:
        rules = rules[:-1]
    return text
