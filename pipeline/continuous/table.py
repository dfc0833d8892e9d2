"""The ledger for people."""

from collections.abc import Sequence

from rich.table import Table

from pipeline.continuous.ledger import Decision

_COLORS = {"promoted": "green", "rolled back": "yellow", "refused": "red"}


def decisions_table(decisions: Sequence[Decision]) -> Table:
    """A row for each decision, in the order they were made."""
    table = Table("span", "window", "drift", "verdict", "canary", "stable", "why", show_lines=True)
    for decision in decisions:
        color = _COLORS[decision.outcome]
        table.add_row(
            str(decision.span),
            " ".join(map(str, decision.window)) or "–",
            "\n".join(_short(warning) for warning in decision.drift) or "none",
            f"[{color}]{decision.outcome}[/]",
            canary_text(decision) or "–",
            str(decision.stable or "–"),
            decision.why,
        )
    return table


def canary_text(decision: Decision) -> str:
    """What the trial has found, in a few words; empty if there was none."""
    report = decision.canary
    if report is None:
        return ""
    parts = [f"{report.canary.failed}/{report.canary.requests} failed"]
    if report.disagreement is not None:
        parts.append(f"{report.disagreement:.1%} of {report.texts} other answers")
    if report.canary.accuracy is not None and report.stable.accuracy is not None:
        parts.append(f"accuracy {report.canary.accuracy:.3f}, stable {report.stable.accuracy:.3f}")
    if report.slowdown is not None:
        parts.append(f"{report.slowdown:.2f} × the time")
    return ", ".join(parts)


def _short(warning: str) -> str:
    """A warning of the DataValidator up to what it allows."""
    return warning.removeprefix("drift: ").partition(";")[0]
