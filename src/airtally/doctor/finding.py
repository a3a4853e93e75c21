"""What a check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

#: Of a longer list, so many are named.
MOST_NAMED = 20


class CheckState(StrEnum):
    """`WARNING`: something ought to be done. `ERROR`: something does not work, or could not be looked at."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend` says what to do; None where all is well."""

    about: str
    state: CheckState
    found: str
    mend: str | None


def well(about: str, found: str) -> Finding:
    return Finding(about, CheckState.OK, found, None)


def to_mend(about: str, found: str, mend: str | None) -> Finding:
    """A warning, unless there is nothing to mend."""
    return Finding(about, CheckState.OK if mend is None else CheckState.WARNING, found, mend)


def broken(about: str, found: str, mend: str) -> Finding:
    return Finding(about, CheckState.ERROR, found, mend)


def first_named(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
