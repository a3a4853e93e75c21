"""Requests for statistics: asked for, found by their account alone, kept for a day."""

from __future__ import annotations

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.declared import ValueType
from airtally.database.store import MetadataStore
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job, Jobs, TooManyJobs
from airtally.kit.clock import MovableClock
from airtally.kit.time import HOUR_US
from airtally.statistics.asked import EventStatistics, TagStatistics
from airtally.statistics.service import JOB_KIND, KEPT_US, Statistics

EVENTS = EventStatistics("X", "Open", 0, HOUR_US)
TAGS = TagStatistics("T", ValueType.STRING, False, ("X",))
DAY_S = KEPT_US // 1_000_000


def claimed(jobs: Jobs) -> Job:
    job = jobs.claim([JOB_KIND])
    assert job is not None
    return job


def test_a_request_is_stored_with_its_job(statistics: Statistics, jobs: Jobs, account: Account) -> None:
    woken = []
    statistics.on_asked.append(lambda: woken.append(1))
    request_id = statistics.ask(account, EVENTS)
    found = statistics.find(account, request_id)
    assert found is not None
    assert (found.asked, found.status, found.result, found.file_name) == (EVENTS, "waiting", None, None)
    assert statistics.of_job(claimed(jobs)) == (account, found)
    assert woken == [1]


def test_a_request_that_there_is_no_room_for_leaves_nothing(
    metadata: MetadataStore, clock: MovableClock, account: Account
) -> None:
    jobs = Jobs(metadata, clock, "worker-1", most_waiting=1)
    statistics, woken = Statistics(metadata, clock, jobs), []
    statistics.ask(account, EVENTS)
    statistics.on_asked.append(lambda: woken.append(1))
    with pytest.raises(TooManyJobs):
        statistics.ask(account, EVENTS)
    assert woken == []
    statistics.succeed(claimed(jobs), b"[]", 5)
    clock.advance(DAY_S)
    assert len(statistics.expired()) == 1


def test_another_accounts_request_is_not_found(
    statistics: Statistics, account: Account, other_account: Account
) -> None:
    request_id = statistics.ask(account, EVENTS)
    assert statistics.find(other_account, request_id) is None
    assert statistics.find(account, "DC1_0") is None


def test_a_result_is_kept_for_a_day(statistics: Statistics, jobs: Jobs, account: Account, clock: MovableClock) -> None:
    request_id = statistics.ask(account, EVENTS)
    clock.advance(DAY_S)
    job = claimed(jobs)
    statistics.succeed(job, b"[1]", 5)
    found = statistics.find(account, request_id)
    assert found is not None
    assert (found.status, found.result, found.data_through) == ("ready", b"[1]", 5)
    assert found.ended_at == clock.now_us()
    assert jobs.find(JOB_KIND, request_id).state == "done"  # type: ignore[union-attr]
    clock.advance(DAY_S - 1)
    assert statistics.find(account, request_id) == found
    assert statistics.expired() == []
    clock.advance(1)
    assert statistics.find(account, request_id) is None
    assert statistics.expired() == [found]
    statistics.forget([found])
    assert statistics.expired() == []
    assert jobs.find(JOB_KIND, request_id) is None


def test_a_file_is_found_by_its_secret_name_once_it_is_ready(
    statistics: Statistics, jobs: Jobs, account: Account, clock: MovableClock
) -> None:
    one, other = (statistics.find(account, statistics.ask(account, TAGS)) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.file_name != other.file_name
    name = str(one.file_name)
    assert statistics.by_file(name) is None
    jobs_by_subject = {job.subject: job for job in (claimed(jobs), claimed(jobs))}
    statistics.succeed(jobs_by_subject[one.request_id], b"{}", 5)
    statistics.fail(jobs_by_subject[other.request_id], "no")
    ready = statistics.by_file(name)
    assert ready is not None
    assert ready.request_id == one.request_id
    assert statistics.by_file(str(other.file_name)) is None
    clock.advance(DAY_S)
    assert statistics.by_file(name) is None


def test_who_lost_the_lease_ends_nothing(
    statistics: Statistics, jobs: Jobs, account: Account, clock: MovableClock
) -> None:
    request_id = statistics.ask(account, EVENTS)
    lost = claimed(jobs)
    clock.advance(61)
    claimed(jobs)
    with pytest.raises(LeaseLost):
        statistics.succeed(lost, b"[]", 5)
    with pytest.raises(LeaseLost):
        statistics.fail(lost, "late")
    found = statistics.find(account, request_id)
    assert found is not None
    assert (found.status, found.expires_at) == ("waiting", None)


def test_no_more_than_asked_for_expire_at_once(
    statistics: Statistics, jobs: Jobs, account: Account, clock: MovableClock
) -> None:
    for _ in range(3):
        statistics.ask(account, EVENTS)
        statistics.fail(claimed(jobs), "no")
    clock.advance(DAY_S)
    assert len(statistics.expired(limit=2)) == 2
    statistics.forget(statistics.expired(limit=2))
    assert len(statistics.expired()) == 1
