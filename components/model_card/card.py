"""A model card as JSON, in the schema of Google's Model Card Toolkit (v0.0.2).

The schema is open below its top: `examples`, `comparisons`, `duplicates`, `fairness`, `gate`
and `lineage` are ours.
"""

from typing import Any

from components.evaluator.verdict import OVERALL, Estimate, Fairness
from components.model_card.facts import Facts

SCHEMA_VERSION = "0.0.2"


def build_card(facts: Facts) -> dict[str, Any]:
    """The card; a list that nobody stated anything for is left out."""
    return {
        "schema_version": SCHEMA_VERSION,
        "model_details": _details(facts),
        "model_parameters": _parameters(facts),
        "quantitative_analysis": _analysis(facts),
        "considerations": _considerations(facts),
    }


def _details(facts: Facts) -> dict[str, Any]:
    stated = facts.stated
    return _stated(
        name=facts.origin.name,
        overview=stated.overview,
        documentation=f"{_kind(facts)}, made by run {facts.run_id}. It was "
        f"{'blessed' if facts.is_blessed else 'not blessed'}.",
        owners=[owner.model_dump(exclude_none=True) for owner in stated.owners],
        version={"name": facts.run_id, "date": facts.date},
        licenses=[{"identifier": stated.license}] if stated.license else [],
        references=[{"reference": reference} for reference in stated.references],
        citations=[{"citation": stated.citation}] if stated.citation else [],
        lineage=_stated(
            settings=facts.origin.settings_hash,
            data=facts.data_hash,
            vocabulary=facts.origin.vocabulary_hash,
            weights=facts.origin.weights_hash,
            training=facts.origin.training.model_dump(mode="json"),
        ),
    )


def _parameters(facts: Facts) -> dict[str, Any]:
    kept = facts.counts.kept_by_split
    splits = (
        ("train", "what the weights were learnt from"),
        ("eval", "what the best epoch was chosen by"),
        ("test", "what the gate judged by; never trained on"),
    )
    sensitive = list(facts.stated.sensitive_data)
    return {
        "model_architecture": architecture(facts),
        "data": [
            _stated(
                name=f"{facts.origin.data}, {split} split",
                description=f"{kept.get(split, 0):,} examples: {use}",
                sensitive={"sensitive_data": sensitive} if sensitive else None,
                examples=kept.get(split, 0),
            )
            for split, use in splits
        ],
        "duplicates": {
            "test_examples_with_a_duplicate_in_train": facts.leaked.duplicated,
            "label_conflicts": facts.audit.label_conflicts,
        },
        "input_format": f"{input_format(facts)}.",
        "output_format": output_format(facts),
    }


def _kind(facts: Facts) -> str:
    if facts.model.task == "regression":
        return "A text regression"
    return f"A text classifier with {len(facts.model.classes)} classes"


def input_format(facts: Facts) -> str:
    """What is read, without a full stop."""
    if facts.model.pairs:
        return (
            f"Two texts, of which {facts.model.max_length} tokens together are read, the longer one cut "
            "first"
        )
    return f"A text, of which the first {facts.model.max_length} tokens are read"


def output_format(facts: Facts) -> str:
    """What is answered."""
    classes = ", ".join(facts.model.classes)
    if facts.model.task == "regression":
        return "A number in the units of the training labels"
    if facts.model.task == "multi_label":
        return f"A probability, and whether it is at least 1/2, for each of: {classes}"
    return f"A label and a probability for each of: {classes}"


def architecture(facts: Facts) -> str:
    """The model's form and size in a sentence."""
    size = facts.model.backbone
    start = (
        f"fine-tuned from {facts.origin.weights}"
        if facts.origin.weights
        else "trained from random weights"
    )
    if (facts.trained.get("warm_start") or {}).get("model"):
        start += " at first, and on from an earlier pushed model since"
    return (
        f"BERT encoder with {size.num_layers} layers of width {size.hidden_dim} and {size.num_heads} heads, "
        f"{facts.model.pooling} pooling and a linear head, {start}"
    )


def _analysis(facts: Facts) -> dict[str, Any]:
    verdict = facts.verdict
    metrics = [
        _metric(name, estimate, one.slice, one.examples)
        for one in verdict.slices
        for name, estimate in one.metrics.items()
    ]
    return _stated(
        performance_metrics=[metric for metric in metrics if metric],
        comparisons=[
            {
                "against": one.against,
                "type": one.metric,
                "value": one.other.value,
                "difference": _bounds(one.difference) | {"value": one.difference.value},
                "p_value": one.p_value,
                "test": one.test,
            }
            for one in verdict.comparisons
        ],
        fairness=_fairness(verdict.fairness) if verdict.fairness else None,
        gate={
            "blessed": facts.is_blessed,
            "reasons": list(facts.reasons),
            "rules": [
                {"sentence": rule.sentence, "met": rule.is_met, "blocks": rule.blocks}
                for rule in verdict.rules
            ],
        },
    )


def _metric(name: str, estimate: Estimate, slice_: str, examples: int) -> dict[str, Any] | None:
    """A metric of the toolkit's; it has no place for a value that could not be measured."""
    if estimate.value is None:
        return None
    metric: dict[str, Any] = {"type": name, "value": estimate.value, "examples": examples}
    if estimate.low is not None:
        metric["confidence_interval"] = _bounds(estimate)
    if slice_ != OVERALL:
        metric["slice"] = slice_
    return metric


def _bounds(estimate: Estimate) -> dict[str, Any]:
    return {"lower_bound": estimate.low, "upper_bound": estimate.high}


def _fairness(fairness: Fairness) -> dict[str, Any]:
    return {
        "groups": [group.model_dump() for group in fairness.groups],
        "gaps": [gap.model_dump() for gap in fairness.gaps],
        "counterfactuals": [  # without the texts: a card goes further than the data may
            {"attribute": one.attribute, "examples": one.examples, **one.flip_rate.model_dump()}
            for one in fairness.counterfactuals
        ],
    }


def _considerations(facts: Facts) -> dict[str, Any]:
    stated = facts.stated
    limitations = [*stated.limitations, *(f"Not for: {one}" for one in stated.out_of_scope)]
    return _stated(
        users=_described(stated.users),
        use_cases=_described(stated.use_cases),
        limitations=_described([*limitations, *facts.audit.warnings, *facts.verdict.notes]),
        tradeoffs=_described(stated.tradeoffs),
        ethical_considerations=[risk.model_dump() for risk in stated.risks],
    )


def _described(sentences: Any) -> list[dict[str, str]]:
    return [{"description": one} for one in sentences]


def _stated(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, [], {})}
