"""What waits, fails or was refused, against a naive count of random histories, on both databases."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from sqlalchemy import Connection, Table, insert

from airtally.accounts.accounts import Accounts
from airtally.database.store import MetadataStore
from airtally.database.tables import (
    alarms,
    deliveries,
    jobs,
    message_deliveries,
    messages,
    quarantine,
    reports,
    webhook_endpoints,
)
from airtally.datasets.publication_store import PublicationStore
from airtally.jobs.queue import Jobs
from airtally.kit.clock import MovableClock
from airtally.kit.time import DAY_US, HOUR_US
from airtally.overview.standings import Standings
from fixtures.accounts import NOW_US

#: Times of what happened: around the edge of a week, and of now.
AGES = (-HOUR_US, 0, HOUR_US, 6 * DAY_US, 7 * DAY_US, 7 * DAY_US + 1, 30 * DAY_US)
WEEK = NOW_US - 7 * DAY_US


def test_counts_equal_a_naive_count(metadata: MetadataStore, clock: MovableClock) -> None:
    made = Accounts(metadata, clock)
    ids = [made.create(f"Account {number}", f"a{number}").id for number in range(3)]
    standings = Standings(metadata, clock, PublicationStore(metadata, clock, Jobs(metadata, clock, "nobody"), 300.0))
    nothing = standings.of(ids)
    assert {each.jobs_failed + each.rows_refused + each.deliveries_failing for each in nothing.values()} == {0}
    naive: Counter[tuple[int, str]] = Counter()
    with metadata.begin() as connection:
        history = _History(connection, random.Random(4711), naive)
        for number in range(120):
            history.add(number, history.chance.choice(ids[:2]))
    found = standings.of(ids)
    assert list(found) == ids
    for account in ids:
        for name in (
            "jobs_running",
            "jobs_waiting",
            "jobs_failed",
            "rows_refused",
            "alarms_firing",
            "deliveries_failing",
        ):
            assert getattr(found[account], name) == naive[account, name], (account, name)
        assert found[account].notices_failing == naive[account, "notices_failing"]
        assert found[account].webhooks_disabled == naive[account, "webhooks_disabled"]
    assert found[ids[2]] == nothing[ids[2]]
    assert standings.of(ids[:1]) == {ids[0]: found[ids[0]]}


class _History:
    """Adds one thing of each kind, and counts it as it is meant to be counted."""

    def __init__(self, connection: Connection, chance: random.Random, naive: Counter[tuple[int, str]]) -> None:
        self._connection, self.chance, self._naive = connection, chance, naive

    def add(self, number: int, account: int) -> None:
        self._job(number, account)
        self._refused(account)
        self._alarm(account)
        self._endpoint(account)
        self._message(number, account)
        self._report(account)

    def _insert(self, table: Table, account: int, **values: Any) -> int:
        """A row with the values given; what else it must have is 0 or empty."""
        needed = {
            column.name: 0
            if column.type.python_type in {int, bool}
            else b""
            if column.type.python_type is bytes
            else ""
            for column in table.c
            if not column.nullable and not column.primary_key and not column.foreign_keys
        }
        row = insert(table).values(**needed | {"account_id": account} | values)
        return int(self._connection.execute(row.returning(table.c.id)).scalar_one())

    def _time(self) -> int:
        return NOW_US - self.chance.choice(AGES)

    def _count(self, account: int, name: str, counts: bool, number: int = 1) -> None:
        self._naive[account, name] += number if counts else 0

    def _job(self, number: int, account: int) -> None:
        state, at = self.chance.choice(("ready", "running", "done", "failed", "cancelled")), self._time()
        self._insert(jobs, account, kind="k", subject=f"{number}", state=state, run_at=at, updated_at=at)
        self._count(account, "jobs_running", state == "running")
        self._count(account, "jobs_waiting", state == "ready" and at <= NOW_US)
        self._count(account, "jobs_failed", state == "failed" and at >= WEEK)

    def _refused(self, account: int) -> None:
        rows, at, resent = self.chance.randrange(1, 50), self._time(), self.chance.choice((None, NOW_US))
        self._insert(quarantine, account, rows=rows, received_at=at, resent_at=resent)
        self._count(account, "rows_refused", at >= WEEK and resent is None, rows)

    def _alarm(self, account: int) -> None:
        state = self.chance.choice(("ok", "firing"))
        self._insert(alarms, account, state=state)
        self._count(account, "alarms_firing", state == "firing")

    def _endpoint(self, account: int) -> None:
        enabled, failing = self.chance.random() < 0.5, self.chance.choice((None, NOW_US))
        self._insert(webhook_endpoints, account, enabled=enabled, failing_since=failing)
        self._count(account, "webhooks_disabled", not enabled and failing is not None)

    def _message(self, number: int, account: int) -> None:
        state, at = self.chance.choice(("due", "sending", "delivered", "failed", "held")), self._time()
        attempts = self.chance.choice((0, 1, 3))
        message = self._insert(messages, account, uid=f"m{number}", key=f"{number}")
        values = {"state": state, "attempts": attempts, "updated_at": at, "channel": "webhook"}
        self._insert(message_deliveries, account, message_id=message, **values)
        tried_again, given_up = state == "due" and attempts > 0, state == "failed" and at >= WEEK
        self._count(account, "deliveries_failing", tried_again or given_up)

    def _report(self, account: int) -> None:
        """Some tries at one notice, in their order."""
        report = self._insert(reports, account)
        tries = [(self.chance.choice(("refused", "acknowledged", "due")), self._time()) for _ in range(3)]
        for state, at in tries:
            self._insert(deliveries, account, report_id=report, state=state, sent_at=at)
        arrived = max((number for number, (state, _) in enumerate(tries) if state == "acknowledged"), default=-1)
        failed = any(state == "refused" and at >= WEEK for state, at in tries[arrived + 1 :])
        self._count(account, "notices_failing", failed)
