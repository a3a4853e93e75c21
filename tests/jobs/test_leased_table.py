"""The lease of jobs and deliveries: one holder at a time, and a former holder cannot write its result."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import insert, or_, select

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import deliveries, jobs, reports
from airtally.jobs.leased_table import LeasedTable
from airtally.jobs.states import JobState
from airtally.reports.outbox import DeliveryState

JOBS = LeasedTable(jobs, JobState.READY, JobState.RUNNING, jobs.c.attempts)
DELIVERIES = LeasedTable(deliveries, DeliveryState.DUE, DeliveryState.SENDING, deliveries.c.lease_number)
JOB = {
    "kind": "report",
    "subject": "1",
    "state": "ready",
    "run_at": 0,
    "progress_done": 0,
    "attempts": 0,
    "updated_at": 0,
}
REPORT = {"type": "detailed", "format": "json", "filter": "{}", "status": "waiting", "created_at": 0, "updated_at": 0}
DELIVERY = {"url": "", "payload": "", "attempt": 1, "state": "due", "due_at": 0, "lease_number": 0}
OWNERS = ("one", "two", "three")
SECONDS = 60


@dataclass
class Held:
    owner: str
    number: int
    until: int


@pytest.fixture(params=["jobs", "deliveries"])
def leases(request: pytest.FixtureRequest, metadata: MetadataStore, account: Account) -> LeasedTable:
    """With one row in the table, free."""
    with metadata.begin() as connection:
        if request.param == "jobs":
            connection.execute(insert(jobs).values(**JOB, created_at=0))
            return JOBS
        report = insert(reports).values(**REPORT, account_id=account.id).returning(reports.c.id)
        of = {"account_id": account.id, "report_id": connection.execute(report).scalar_one()}
        connection.execute(insert(deliveries).values(**DELIVERY, **of, created_at=0))
    return DELIVERIES


def take(metadata: MetadataStore, leases: LeasedTable, owner: str, now: int) -> Any:
    free = or_(leases.table.c.state == leases.free, leases.orphaned(now))
    with metadata.begin() as connection:
        return connection.execute(leases.taken(owner, now + SECONDS).where(free)).one_or_none()


def hand_back(metadata: MetadataStore, leases: LeasedTable, row: Any, owner: str, number: int) -> bool:
    with metadata.begin() as connection:
        return bool(connection.execute(leases.released().where(*leases.held_rows(owner, row, number))).rowcount)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_processes_do_the_row_has_one_holder(metadata: MetadataStore, leases: LeasedTable, seed: int) -> None:
    """Three processes take, hand back by any lease they ever had, and let leases end; a model says what may succeed."""
    chance, now, holder = random.Random(seed), 0, None
    given: list[Held] = []
    with metadata.read() as connection:
        row_id = connection.execute(select(leases.table.c.id)).scalar_one()
    for _ in range(60):
        now += chance.choice((0, 1, SECONDS // 2, SECONDS))
        owner = chance.choice(OWNERS)
        if chance.random() < 0.5:
            row = take(metadata, leases, owner, now)
            assert (row is not None) == (holder is None or holder.until <= now)
            if row is not None:
                holder = Held(owner, len(given) + 1, now + SECONDS)
                given.append(holder)
                assert (row.lease_owner, row._mapping[leases.number], row.lease_until) == (
                    owner,
                    holder.number,
                    holder.until,
                )
        elif given:
            old = chance.choice(given)
            assert hand_back(metadata, leases, row_id, old.owner, old.number) == (old is holder)
            holder = None if old is holder else holder
    assert len(given) > 5


def test_of_processes_that_are_gone_all_is_handed_back(metadata: MetadataStore, leases: LeasedTable) -> None:
    assert take(metadata, leases, "one", 0) is not None
    with metadata.begin() as connection:
        assert leases.release_gone(connection, lambda owner: owner == "two") == 0
        assert leases.release_gone(connection, lambda owner: owner == "one") == 1
    row = take(metadata, leases, "two", 0)
    assert (row.lease_owner, row._mapping[leases.number]) == ("two", 2)
