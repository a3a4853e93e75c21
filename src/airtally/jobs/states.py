"""The states of a job, as the database and the metrics name them."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    READY = "ready"  # to be taken once it is due
    RUNNING = "running"  # under a lease
    DONE = "done"
    FAILED = "failed"


#: A job in one of these will still be worked on.
UNENDED = (JobState.READY, JobState.RUNNING)
