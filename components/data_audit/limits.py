"""What is told of an audit, and when it stops the line."""

from components.data_audit.config import AuditConfig
from components.data_audit.report import Audit, Pair

_CURE = (
    "splits.group_near_duplicates: true (or a splits.group_column) in the data's settings lets such records "
    "share a split"
)


class DataAuditError(ValueError):
    """The data breaks a limit of the audit; the message says which, shows the worst pair and the cure."""


def warnings(audit: Audit) -> tuple[str, ...]:
    """Sentences about everything that a reader of the results should know."""
    found = [
        f"{overlap.duplicated} of {overlap.examples} {split} examples ({overlap.share:.1%}) have an equal or "
        f"nearly equal text in {other}"
        for split, other in (("test", "train"), ("test", "eval"), ("eval", "train"))
        if {split, other} <= audit.examples.keys()
        and (overlap := audit.overlap(split, other)).duplicated
    ]
    if audit.label_conflicts:
        found.append(_conflicts(audit))
    if audit.passed_over:
        found.append(
            f"so many texts are alike that {audit.passed_over} candidate pairs were not compared: "
            "the counts of near duplicates may be too low"
        )
    if audit.pretraining.present:
        found.append(_pretraining(audit))
    return tuple(found)


def check(audit: Audit, config: AuditConfig, uri: str) -> None:
    """Holds an audit to the limits.

    Args:
        audit: what was found.
        config: the limits.
        uri: where the audit is, for the message.

    Raises:
        DataAuditError: a limit is broken.
    """
    problems = [*_leak(audit, config), *_conflict(audit, config), *_overlap(audit, config)]
    if problems:
        lines = [*problems, f"all that was found: {uri}"]
        raise DataAuditError("the data cannot be trusted:\n  " + "\n  ".join(lines))


def _leak(audit: Audit, config: AuditConfig) -> list[str]:
    allowed = config.max_cross_split_duplicates
    if allowed is None or not {"test", "train"} <= audit.examples.keys():
        return []
    overlap = audit.overlap("test", "train")
    if overlap.share <= allowed:
        return []
    worst = next(pair for pair in audit.pairs if set(pair.splits) == {"test", "train"})
    return [
        f"{overlap.duplicated} of {overlap.examples} test examples ({overlap.share:.1%}) have an equal or "
        f"nearly equal text in train, audit.max_cross_split_duplicates allows {allowed:.1%}; the worst pair: "
        f"{_told(worst)}. Cure: {_CURE}"
    ]


def _conflict(audit: Audit, config: AuditConfig) -> list[str]:
    allowed = config.max_label_conflicts
    if allowed is None or audit.label_conflict_share <= allowed:
        return []
    return [
        f"{_conflicts(audit)}, audit.max_label_conflicts allows {allowed:.1%}; the worst pair: "
        f"{_told(audit.conflicts[0])}. Cure: correct these labels, or leave such records out"
    ]


def _overlap(audit: Audit, config: AuditConfig) -> list[str]:
    if not config.forbid_pretraining_overlap:
        return []
    if audit.pretraining.source == "unknown":
        return [
            "audit.forbid_pretraining_overlap is set, but nothing is known of what the encoder was "
            "pretrained on. Cure: give audit.pretraining_keys, a file with the keys of those documents"
        ]
    if not audit.pretraining.present:
        return []
    return [
        f"{_pretraining(audit)}; the first: {', '.join(audit.pretraining.keys[:3])}. Cure: pretrain with "
        "examples.held_out or examples.held_out_keys, so that these documents are left out"
    ]


def _conflicts(audit: Audit) -> str:
    total = sum(audit.examples.values())
    return (
        f"{audit.label_conflicts} of {total} examples ({audit.label_conflict_share:.1%}) have an equal or "
        "nearly equal text with another label"
    )


def _pretraining(audit: Audit) -> str:
    found = audit.pretraining
    what = (
        "were not held out when the encoder was pretrained"
        if found.source == "provenance"
        else "are in the encoder's pretraining data"
    )
    return f"{found.present} of {found.test_examples} test examples ({found.share:.1%}) {what}"


def _told(pair: Pair) -> str:
    (key, other), (split, other_split), (label, other_label) = pair.keys, pair.splits, pair.labels
    return (
        f"{key} in {split} (label {label!r}) and {other} in {other_split} (label {other_label!r}), "
        f"similarity {pair.similarity:.2f}"
    )
