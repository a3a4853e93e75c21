"""Notices that an earlier release had waiting, or under way when it was killed, go on."""

from __future__ import annotations

import sqlite3

import pytest

from airtally.database.store import MetadataStore
from airtally.reports.outbox import Deliveries, DeliveryState, NoticeOutcome
from fixtures.homes import KILLED_US, RELEASES, unpacked

SECOND = 1_000_000
_INSERT = """
    INSERT INTO deliveries (account_id, report_id, url, payload, attempt, state, due_at, lease_owner, lease_until,
        sent_at, created_at)
    SELECT account_id, id, 'http://hooks.example/', '{}', :attempt, :state, :due_at, :owner, :until, :sent_at, :due_at
    FROM reports LIMIT 1
"""


@pytest.mark.parametrize("release", RELEASES)
def test_deliveries_of_an_earlier_release_go_on(tmp_path, release: str) -> None:
    kept = unpacked(release, tmp_path)
    path, now = kept.settings.home / "metadata.sqlite", KILLED_US
    nobody = {"owner": None, "until": None, "sent_at": None}
    rows = [
        {"attempt": 2, "state": "due", "due_at": now} | nobody,
        {"attempt": 3, "state": "due", "due_at": now + SECOND} | nobody,
        {"attempt": 1, "state": "sending", "due_at": now, "owner": "dead", "until": now + 90 * SECOND, "sent_at": now},
    ]
    with sqlite3.connect(path) as connection:
        ids = [connection.execute(_INSERT, row).lastrowid for row in rows]
    connection.close()

    clock = kept.clock()
    store = MetadataStore.open(f"sqlite:///{path}")
    deliveries = Deliveries(store, clock, (120.0, 360.0, 1080.0), "process")
    [due] = deliveries.claim_due({})
    assert (due.id, due.attempt, due.lease_number) == (ids[0], 2, 1)
    deliveries.settle(due, NoticeOutcome(500))
    assert deliveries.latest(limit=1)[0].due_at == now + 360 * SECOND
    clock.advance(1)
    assert [each.id for each in deliveries.claim_due({})] == [ids[1]]
    clock.advance(89)
    [taken_over] = deliveries.claim_due({})
    assert taken_over.id == ids[2]
    deliveries.settle(taken_over, NoticeOutcome(200))
    assert deliveries.get(ids[2]).state == DeliveryState.ACKNOWLEDGED
    store.close()
