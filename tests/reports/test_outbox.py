"""The rows of tries: claimed by one process at a time, noted once, handed back."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from sqlalchemy import insert, update

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts
from airtally.database.tables import deliveries as table
from airtally.kit.clock import MovableClock
from airtally.reports.outbox import Deliveries, DeliveryState, NoticeOutcome
from airtally.reports.requests import PlayFilter, ReportRequest
from airtally.reports.service import Reports

WAITS = (120.0, 360.0, 1080.0)


def fill(metadata: MetadataStore, report_id: int, account: Account, count: int, now: int) -> None:
    row = {"account_id": account.id, "report_id": report_id, "url": "http://hooks.example/", "payload": "{}"}
    row |= {"attempt": 1, "state": "due", "due_at": now, "created_at": now}
    with metadata.begin() as connection:
        connection.execute(insert(table), [row] * count)


@pytest.fixture
def one_due(
    metadata: MetadataStore, clock: MovableClock, reports: Reports, account: Account, plays: PlayFilter
) -> None:
    report = reports.create(account, ReportRequest(plays, "http://hooks.example/"))
    fill(metadata, report.id, account, 1, clock.now_us())


def test_processes_that_claim_at_once_never_take_the_same_try(
    metadata: MetadataStore, clock: MovableClock, reports: Reports, account: Account, plays: PlayFilter
) -> None:
    report = reports.create(account, ReportRequest(plays, "http://hooks.example/"))
    fill(metadata, report.id, account, 2000, clock.now_us())
    taken: Counter[int] = Counter()
    lock, start = threading.Lock(), threading.Barrier(6)

    def claim(owner: str) -> None:
        mine = Deliveries(metadata, clock, WAITS, owner)
        start.wait()
        empty = 0
        while empty < 5:
            got = mine.claim_due({}, 7)
            empty = 0 if got else empty + 1
            with lock:
                taken.update(each.id for each in got)

    threads = [threading.Thread(target=claim, args=(f"process {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each for each, times in taken.items() if times > 1] == []
    assert len(taken) == 2000


def test_a_lease_that_was_lost_settles_nothing_in_the_process_that_has_the_try_anew(
    metadata: MetadataStore, deliveries: Deliveries, clock: MovableClock, one_due: None
) -> None:
    """Even at the same moment by the clock: the number of the lease tells them apart."""
    [earlier] = deliveries.claim_due({})
    deliveries.release(earlier)
    [later] = deliveries.claim_due({})
    assert (earlier.lease_number, later.lease_number) == (1, 2)
    assert earlier.sent_at == later.sent_at
    deliveries.settle(earlier, NoticeOutcome(500))
    deliveries.release(earlier)
    assert [each.state for each in deliveries.latest()] == [DeliveryState.SENDING]
    deliveries.settle(later, NoticeOutcome(200))
    assert [each.state for each in deliveries.latest()] == [DeliveryState.ACKNOWLEDGED]


def test_tries_of_processes_that_are_gone_are_due_at_once(
    metadata: MetadataStore, deliveries: Deliveries, clock: MovableClock, one_due: None
) -> None:
    [lost] = Deliveries(metadata, clock, WAITS, "gone").claim_due({})
    assert deliveries.release_gone(lambda _: False) == 0
    assert deliveries.claim_due({}) == []
    assert deliveries.release_gone(lambda owner: owner == "gone") == 1
    [again] = deliveries.claim_due({})
    assert (again.id, again.lease_number) == (lost.id, 2)


def test_a_clock_that_goes_back_delays_no_try(
    metadata: MetadataStore, deliveries: Deliveries, clock: MovableClock, one_due: None
) -> None:
    """Due at once: at once. The next in two minutes: in two minutes of the clock as it is now."""
    clock.advance(-3600)
    [first] = deliveries.claim_due({})
    deliveries.settle(first, NoticeOutcome(500))
    clock.advance(-3600)
    assert deliveries.claim_due({}) == []
    clock.advance(119)
    assert deliveries.claim_due({}) == []
    clock.advance(1)
    [second] = deliveries.claim_due({})
    assert second.attempt == 2


def test_a_lease_is_as_long_by_a_clock_that_goes_back(
    metadata: MetadataStore, deliveries: Deliveries, clock: MovableClock, one_due: None
) -> None:
    """The next try counts from the sending by the clock as it is now."""
    other = Deliveries(metadata, clock, WAITS, "dead")
    assert len(other.claim_due({})) == 1
    clock.advance(-3600)
    assert deliveries.claim_due({}) == []
    clock.advance(89)
    assert deliveries.claim_due({}) == []
    clock.advance(1)
    [taken_over] = deliveries.claim_due({})
    clock.advance(-3600)
    assert deliveries.claim_due({}) == []
    set_back = clock.now_us()
    deliveries.settle(taken_over, NoticeOutcome(500))
    assert deliveries.latest()[0].due_at == set_back + 120_000_000


@pytest.mark.usefixtures("one_due")
def test_notices_of_a_closed_account_wait(
    metadata: MetadataStore, clock: MovableClock, deliveries: Deliveries, account: Account
) -> None:
    closed = update(accounts).where(accounts.c.id == account.id)
    with metadata.begin() as connection:
        connection.execute(closed.values(closed_at=clock.now_us()))
    assert deliveries.claim_due({}) == []
    with metadata.begin() as connection:
        connection.execute(closed.values(closed_at=None))
    assert len(deliveries.claim_due({})) == 1
