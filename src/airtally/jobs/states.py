"""The states of a job, as stored and as labels of metrics."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    READY = "ready"  # may be taken once it is due
    RUNNING = "running"  # under a lease
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: The states of jobs that have not ended.
UNENDED = (JobState.READY, JobState.RUNNING)
