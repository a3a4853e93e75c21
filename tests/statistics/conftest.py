"""The queue of jobs, and requests for statistics on it."""

from __future__ import annotations

import pytest

from airtally.database.store import MetadataStore
from airtally.jobs.queue import Jobs
from airtally.kit.clock import MovableClock
from airtally.statistics.service import Statistics
from fixtures.reports import jobs

__all__ = ["jobs", "statistics"]


@pytest.fixture
def statistics(metadata: MetadataStore, clock: MovableClock, jobs: Jobs) -> Statistics:
    return Statistics(metadata, clock, jobs)
