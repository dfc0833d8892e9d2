"""What was ever pushed, promoted and rolled back, and what follows from it."""

import dataclasses
import datetime
import getpass
import os
import socket
from collections.abc import Collection, Sequence
from typing import Literal

import pydantic

from models.config import Config

STABLE: Literal["stable"] = "stable"
CANARY: Literal["canary"] = "canary"


class Origin(Config):
    """Where a version comes from.

    Attributes:
        content: hash of the model's files as they were blessed, without the card.
        model: URI of the model's artifact.
        run: id of the run that pushed it, where the runner tells.
        blessed_by: the components that looked at it.
    """

    content: str
    model: str
    run: str | None = None
    blessed_by: tuple[str, ...] = ()


class Change(Config):
    """One entry of the history.

    Attributes:
        action: what was done.
        version: that was pushed, promoted, or rolled back, that is, withdrawn.
        stable: the stable version from then on.
        canary: the canary from then on.
        when: with time zone.
        who: did it.
        why: was given as the reason.
        origin: of a pushed version.
    """

    action: Literal["push", "promote", "rollback"]
    version: int
    stable: int
    canary: int | None = None
    when: pydantic.AwareDatetime = pydantic.Field(
        default_factory=lambda: datetime.datetime.now(datetime.timezone.utc)
    )
    who: str = pydantic.Field(default_factory=lambda: f"{_user()}@{socket.gethostname()}")
    why: str = ""
    origin: Origin | None = None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


@dataclasses.dataclass(frozen=True)
class State:
    """What is the case after some changes.

    Attributes:
        stables: versions that are or were stable and could be again, the one that is stable last.
        canary: the version on trial.
        withdrawn: by version, the rollback that withdrew it.
        pushes: by version, how it came here; versions of before there was a history have none.
    """

    stables: tuple[int, ...]
    canary: int | None
    withdrawn: dict[int, Change]
    pushes: dict[int, Change]

    @property
    def stable(self) -> int | None:
        """The version that is meant to answer."""
        return self.stables[-1] if self.stables else None

    @property
    def previous(self) -> int | None:
        """Where a rollback goes."""
        return self.stables[-2] if len(self.stables) > 1 else None

    def origin(self, version: int | None) -> Origin | None:
        """Where a version comes from, if that is known."""
        push = self.pushes.get(version) if version is not None else None
        return push.origin if push else None

    @property
    def labels(self) -> dict[str, int]:
        """Version by label."""
        both = {STABLE: self.stable, CANARY: self.canary}
        return {label: version for label, version in both.items() if version is not None}


def state_after(changes: Sequence[Change], existing: Collection[int]) -> State:
    """Plays the changes back.

    Args:
        changes: the oldest first.
        existing: the versions that are still there. Those that no change tells of were stable one after the
            other before the first change.
    """
    pushes = {change.version: change for change in changes if change.action == "push"}
    stables = sorted(set(existing) - pushes.keys())
    withdrawn: dict[int, Change] = {}
    canary = None
    for change in changes:
        canary = change.canary
        if change.action == "rollback":
            withdrawn[change.version] = change
            if change.stable in stables:  # what was stable since is passed over
                stables = stables[: stables.index(change.stable) + 1]
        elif change.action == "promote":
            withdrawn.pop(change.version, None)
        if change.stable not in stables[-1:]:
            stables = [version for version in stables if version != change.stable]
            stables.append(change.stable)
    return State(
        stables=tuple(v for v in stables if v in existing and v not in withdrawn),
        canary=canary if canary in existing else None,
        withdrawn={v: change for v, change in withdrawn.items() if v in existing},
        pushes=pushes,
    )
