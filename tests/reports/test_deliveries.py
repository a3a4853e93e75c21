"""Webhook tries: their schedule, their leases, and that none waits for another. Real HTTP, real store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.jobs.queue import Jobs
from airtally.kit.clock import MovableClock
from airtally.kit.errors import NotFound
from airtally.kit.outgoing import Outgoing
from airtally.reports.deliveries import DeliveryLoop
from airtally.reports.outbox import Deliveries, Delivery, NoticeOutcome
from airtally.reports.requests import PlayFilter, ReportRequest
from airtally.reports.service import JOB_KIND, Reports
from fixtures.receiver import Receiver

LOOPBACK = (ip_network("127.0.0.0/8"),)
Fail = Callable[[str], int]


@pytest.fixture
def start_loop() -> Iterator[Callable[..., DeliveryLoop]]:
    loops: list[DeliveryLoop] = []

    def start(deliveries: Deliveries, *, seconds: float = 120.0, allowed: tuple = LOOPBACK) -> DeliveryLoop:
        loop = DeliveryLoop(deliveries, Outgoing(allowed, seconds=seconds), poll_seconds=0.01)
        loop.start()
        loops.append(loop)
        return loop

    yield start
    for loop in loops:
        loop.stop(0.1)


@pytest.fixture
def failed_report(reports: Reports, account: Account, jobs: Jobs, plays: PlayFilter) -> Fail:
    """Asks for a report with this webhook and lets it fail, which makes a notice."""

    def fail(url: str) -> int:
        report = reports.create(account, ReportRequest(plays, url))
        job = jobs.claim([JOB_KIND])
        assert job is not None
        reports.fail(account, report, job, "The test wanted it.")
        return report.id

    return fail


def until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def tries(deliveries: Deliveries) -> list[tuple[int, str, int | None]]:
    return [(each.attempt, each.state, each.status_code) for each in reversed(deliveries.latest())]


def settled(deliveries: Deliveries, count: int) -> bool:
    ended = [each for each in deliveries.latest() if each.state in {"acknowledged", "refused"}]
    return len(ended) >= count


def test_a_notice_acknowledged_by_200_is_sent_once(
    receiver: Receiver, deliveries: Deliveries, failed_report: Fail, start_loop: Callable, clock: MovableClock
) -> None:
    report_id = failed_report(receiver.url + "/hook")
    start_loop(deliveries)
    [body] = receiver.wait(1)
    assert body == (
        b'{"id":%d,"status":"failed","error":{"code":422,"message":"There was an error generating the report"},'
        b'"filter":{"startDate":"2026-10-01","startTime":"00:00:00","endDate":"2026-10-02","endTime":"23:59:59",'
        b'"mediaId":[],"playerId":[],"sort":-1}}' % report_id
    )
    assert receiver.headers[0]["Content-Type"] == "application/json"
    assert "Secret-Token" not in receiver.headers[0]
    until(lambda: settled(deliveries, 1))
    clock.advance(7200)
    time.sleep(0.1)
    assert len(receiver.bodies) == 1
    assert tries(deliveries) == [(1, "acknowledged", 200)]


@pytest.mark.parametrize("status", [500, 204, 302, 404])
def test_anything_else_is_tried_again_on_schedule(
    receiver: Receiver,
    deliveries: Deliveries,
    failed_report: Fail,
    start_loop: Callable,
    clock: MovableClock,
    status: int,
) -> None:
    receiver.answers = [status]
    start = clock.now_us()
    failed_report(receiver.url)
    start_loop(deliveries)
    for number, wait in enumerate((0, 120, 360, 1080), 1):
        if wait:
            clock.advance(wait - 1)
            time.sleep(0.05)
            assert len(receiver.bodies) == number - 1
            clock.advance(1)
        receiver.wait(number)
        until(lambda number=number: settled(deliveries, number))
    clock.advance(86400)
    time.sleep(0.05)
    assert len(receiver.bodies) == 4
    assert len(set(receiver.bodies)) == 1
    due = [(each.due_at - start) // 1_000_000 for each in reversed(deliveries.latest())]
    assert due == [0, 120, 480, 1560]


def test_hanging_receivers_delay_nobody(
    receiver: Receiver, deliveries: Deliveries, failed_report: Fail, start_loop: Callable
) -> None:
    for _ in range(20):
        failed_report(receiver.url + "/hang")
    start_loop(deliveries)
    receiver.wait(20)
    failed_report(receiver.url + "/quick")
    until(lambda: "/quick" in receiver.paths)
    assert [each.state for each in deliveries.latest() if each.url.endswith("/hang")] == ["sending"] * 20
    receiver.released.set()


def test_the_next_try_of_a_hanging_receiver_counts_from_its_sending(
    receiver: Receiver, deliveries: Deliveries, failed_report: Fail, start_loop: Callable, clock: MovableClock
) -> None:
    for _ in range(20):
        failed_report(receiver.url + "/hang")
    start_loop(deliveries, seconds=1.0)
    receiver.wait(20)
    clock.advance(10)
    until(lambda: settled(deliveries, 20))
    hung = [each for each in deliveries.latest() if each.attempt == 1 and each.url.endswith("/hang")]
    assert {each.error for each in hung} == {"No answer within 1 seconds"}
    seconds = {each.due_at - hung[0].due_at for each in deliveries.latest() if each.attempt == 2}
    assert seconds == {120_000_000}


def test_a_try_whose_worker_died_is_made_again_and_the_schedule_goes_on(
    receiver: Receiver,
    metadata: MetadataStore,
    deliveries: Deliveries,
    failed_report: Fail,
    start_loop: Callable,
    clock: MovableClock,
) -> None:
    failed_report(receiver.url)
    dead = Deliveries(metadata, clock, (120.0,), "worker-0")
    [lost] = dead.claim_due({})
    start_loop(deliveries)
    time.sleep(0.05)
    assert receiver.bodies == []
    clock.advance(91)
    receiver.wait(1)
    until(lambda: settled(deliveries, 1))
    dead.settle(lost, NoticeOutcome(500))
    assert tries(deliveries) == [(1, "acknowledged", 200)]


def test_a_restart_between_tries_changes_nothing(
    receiver: Receiver, deliveries: Deliveries, failed_report: Fail, start_loop: Callable, clock: MovableClock
) -> None:
    receiver.answers = [500, 200]
    failed_report(receiver.url)
    loop = start_loop(deliveries)
    receiver.wait(1)
    until(lambda: settled(deliveries, 1))
    loop.stop()
    clock.advance(60)
    start_loop(deliveries)
    time.sleep(0.05)
    assert len(receiver.bodies) == 1
    clock.advance(60)
    receiver.wait(2)
    until(lambda: settled(deliveries, 2))
    assert tries(deliveries) == [(1, "refused", 500), (2, "acknowledged", 200)]


def test_stopping_hands_back_the_tries_under_way(
    receiver: Receiver, deliveries: Deliveries, failed_report: Fail, start_loop: Callable
) -> None:
    failed_report(receiver.url + "/hang")
    loop = start_loop(deliveries)
    receiver.wait(1)
    started = time.monotonic()
    loop.stop(0.1)
    assert time.monotonic() - started < 60, "not for the 120 seconds that an answer may take"
    [delivery] = deliveries.latest()
    assert (delivery.state, delivery.lease_owner, delivery.sent_at) == ("due", None, None)


def test_a_refused_target_says_why(
    receiver: Receiver, deliveries: Deliveries, failed_report: Fail, start_loop: Callable
) -> None:
    failed_report(receiver.url)
    start_loop(deliveries, allowed=())
    until(lambda: settled(deliveries, 1))
    first = deliveries.latest()[-1]
    assert first.error == "127.0.0.1 is at 127.0.0.1, which is not a public address"
    assert receiver.bodies == []


def test_redelivery_sends_the_same_notice_once_more(
    receiver: Receiver,
    deliveries: Deliveries,
    failed_report: Fail,
    start_loop: Callable,
    clock: MovableClock,
    account: Account,
    other_account: Account,
) -> None:
    receiver.answers = [500]
    failed_report(receiver.url)
    start_loop(deliveries)
    for number in range(1, 5):
        receiver.wait(number)
        until(lambda number=number: settled(deliveries, number))
        clock.advance(1080)
    with pytest.raises(NotFound):
        deliveries.redeliver(deliveries.latest()[0].id, other_account.id)
    again = deliveries.redeliver(deliveries.latest()[0].id, account.id)
    assert (again.attempt, again.state) == (0, "due")
    receiver.wait(5)
    until(lambda: settled(deliveries, 5))
    clock.advance(86400)
    time.sleep(0.05)
    assert len(receiver.bodies) == 5
    assert len(set(receiver.bodies)) == 1


def test_two_processes_share_the_due_tries(
    metadata: MetadataStore, deliveries: Deliveries, failed_report: Fail, clock: MovableClock
) -> None:
    ids = [failed_report("http://hooks.example/") for _ in range(5)]
    other = Deliveries(metadata, clock, (120.0,), "worker-2")
    taken: list[Delivery] = deliveries.claim_due({}, 3) + other.claim_due({}, 3)
    assert sorted(each.report_id for each in taken) == ids
    assert deliveries.claim_due({}) == other.claim_due({}) == []


def test_accounts_take_turns_and_a_hanging_receiver_has_its_share_alone(
    metadata: MetadataStore,
    deliveries: Deliveries,
    reports: Reports,
    plays: PlayFilter,
    jobs: Jobs,
    account: Account,
    other_account: Account,
) -> None:
    """However many notices an account has: those under way of one receiver are counted too."""
    for of in (*[account] * 5, other_account):
        report = reports.create(of, ReportRequest(plays, "http://hooks.example/"))
        job = jobs.take(JOB_KIND, str(report.id))
        assert job is not None
        reports.fail(of, report, job, "The test wanted it.")
    first = deliveries.claim_due({}, 2, each=3)
    assert {each.account_id for each in first} == {account.id, other_account.id}
    busy = {each.id: each.account_id for each in first}
    second = deliveries.claim_due(busy, 100, each=3)
    assert [each.account_id for each in second] == [account.id] * 2
    assert deliveries.claim_due(busy | {each.id: account.id for each in second}, 100, each=3) == []
