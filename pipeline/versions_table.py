"""What `status`, `promote` and `rollback` print."""

from rich.markup import escape
from rich.table import Table

from components.pusher.history import Change
from pipeline.versions import Status, Version

_COLORS = {"stable": "green", "canary": "yellow", "rolled back": "red", "damaged": "red"}


def versions_table(status: Status) -> Table:
    """A row a version, the newest first."""
    table = Table(
        *("version", "label", "served", "pushed (UTC)", "run", "blessed by", "hash", "size"),
        title=f"{status.name}: {status.folder}",
        caption=None if status.versions else "nothing was pushed yet",
    )
    for version in status.versions:
        table.add_row(
            str(version.version),
            _colored(version.label or "", f": {version.why}" if version.why else ""),
            "yes" if version.served else "kept",
            f"{version.pushed:%Y-%m-%d %H:%M}" if version.pushed else "",
            version.run or "",
            ", ".join(version.blessed_by),
            _hash(version),
            f"{version.bytes / 1e6:.1f} MB",
        )
    return table


def change_text(change: Change) -> str:
    """One line."""
    done = {"promote": "promoted", "rollback": "rolled back", "push": "pushed"}[change.action]
    canary = f", canary {change.canary}" if change.canary else ""
    return f"{done} version {change.version}; stable is {change.stable}{canary}"


def _hash(version: Version) -> str:
    details = f": {'; '.join(version.damage)}" if version.damage else ""
    return _colored(version.hash, details)


def _colored(word: str, details: str) -> str:
    text = escape(word + details)
    return f"[{_COLORS[word]}]{text}[/]" if word in _COLORS else text
