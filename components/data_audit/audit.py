"""The audit of some examples, without reading or writing."""

from components.data_audit.examples import AuditedExamples
from components.data_audit.findings import Findings
from components.data_audit.limits import warnings
from components.data_audit.report import Audit, PretrainingOverlap
from components.near_duplicates.config import NearDuplicateConfig
from components.near_duplicates.search import find_duplicates


def audit_examples(
    examples: AuditedExamples,
    splits: list[str],
    near: NearDuplicateConfig,
    pretraining: PretrainingOverlap,
) -> Audit:
    """Finds what there is to find; the same whatever the order of the examples.

    Args:
        examples: of all splits, in any order.
        splits: the names of all splits, those without examples too.
        near: what a near duplicate is.
        pretraining: what is known of the test examples.
    """
    duplicates = find_duplicates(examples.sketches, near)
    findings = Findings(examples, duplicates)
    conflicts = findings.label_conflicts()
    audit = Audit(
        examples={split: int((examples.splits == split).sum()) for split in splits},
        near_duplicates=near,
        distinct_texts=duplicates.size,
        near_duplicate_pairs=len(duplicates.pairs),
        overlaps=findings.overlaps(splits),
        label_conflicts=conflicts,
        label_conflict_share=conflicts / len(examples),
        cluster_sizes=findings.cluster_sizes(),
        pairs=findings.worst_pairs(),
        conflicts=findings.worst_pairs(conflicts_only=True),
        passed_over=duplicates.passed_over,
        pretraining=pretraining,
    )
    return audit.model_copy(update={"warnings": warnings(audit)})
