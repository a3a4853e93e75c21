"""States of schedules and of their runs, as stored and as shown."""

from __future__ import annotations

from enum import StrEnum


class ScheduleState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"


class RunState(StrEnum):
    WAITING = "waiting"  # for the run before it
    MAKING = "making"  # it has a job, or an export or report under way
    DELIVERING = "delivering"  # it is made, and on its way to its recipients
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


#: The states of runs that have not ended.
UNENDED_RUNS = (RunState.WAITING, RunState.MAKING, RunState.DELIVERING)


class CatchUp(StrEnum):
    """Which of several slots that wait are run: the last one, or all, as many as MOST_WAITING at most."""

    LATEST = "latest"
    ALL = "all"


#: Of more waiting slots only the last so many are looked at, each with a row of its own; those before share one row.
MOST_WAITING = 100
