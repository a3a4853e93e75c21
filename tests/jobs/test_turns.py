"""No account delays another's jobs: turns, running jobs, the limit on waiting ones, clocks that jump."""

from __future__ import annotations

import itertools
import threading

import pytest

from airtally.accounts.accounts import Account, Accounts
from airtally.database.store import MetadataStore
from airtally.jobs.queue import Job, Jobs, TooManyJobs
from airtally.kit.clock import MovableClock
from airtally.kit.time import SECOND_US

_NUMBERS = itertools.count()


@pytest.fixture
def jobs(metadata: MetadataStore, clock: MovableClock) -> Jobs:
    return Jobs(metadata, clock, "one", most_waiting=20)


@pytest.fixture
def many(accounts: Accounts) -> list[Account]:
    return [accounts.create(name, name.lower()) for name in ("Anna", "Bert", "Cleo", "Dora")]


def add(jobs: Jobs, account: Account, count: int = 1, *, kind: str = "report") -> None:
    with jobs._store.begin() as connection:
        for _ in range(count):
            jobs.add(connection, kind, str(next(_NUMBERS)), account.id)


def claim(jobs: Jobs, each: int | None = None, kind: str = "report") -> Job | None:
    return jobs.claim([kind], 60, each=each)


def done(jobs: Jobs, job: Job) -> int | None:
    with jobs._store.begin() as connection:
        jobs.finish(connection, job)
    return job.account_id


def served(jobs: Jobs, count: int) -> list[int | None]:
    """The accounts of the next jobs, done one after the other."""
    found = []
    for _ in range(count):
        job = claim(jobs)
        assert job is not None
        found.append(done(jobs, job))
    return found


def test_accounts_take_turns_however_many_jobs_one_has(jobs: Jobs, many: list[Account]) -> None:
    anna, bert, cleo, dora = many
    add(jobs, anna, 10)
    add(jobs, bert, 10)
    assert served(jobs, 2) == [anna.id, bert.id]
    add(jobs, dora)
    add(jobs, cleo, 2)
    assert served(jobs, 4) == [dora.id, cleo.id, anna.id, bert.id]
    assert served(jobs, 4) == [cleo.id, anna.id, bert.id, anna.id]


def test_a_turn_is_kept_while_the_clock_stands_or_goes_back(
    jobs: Jobs, clock: MovableClock, many: list[Account]
) -> None:
    add(jobs, many[0], 5)
    assert served(jobs, 2) == [many[0].id] * 2
    clock.advance(-3600)
    add(jobs, many[1], 5)
    assert served(jobs, 4) == [many[1].id, many[0].id, many[1].id, many[0].id]


def test_every_kind_is_a_queue_of_its_own(jobs: Jobs, many: list[Account]) -> None:
    anna, bert, *_ = many
    for kind in ("publication", "statistics"):
        add(jobs, anna, 3, kind=kind)
        add(jobs, bert, 1, kind=kind)
        first, second = claim(jobs, kind=kind), claim(jobs, kind=kind)
        assert first is not None
        assert second is not None
        assert {first.account_id, second.account_id} == {anna.id, bert.id}


def test_one_worker_is_left_for_others(jobs: Jobs, many: list[Account]) -> None:
    """A long job in each worker would hold up whoever comes next."""
    anna, bert, *_ = many
    add(jobs, anna, 5)
    assert [claim(jobs, 2) is None for _ in range(3)] == [False, False, True]
    add(jobs, bert, 2)
    other = claim(jobs, 2)
    assert other is not None
    assert other.account_id == bert.id
    assert claim(jobs, 2) is None, "beside another's, an account has one place alone"
    assert done(jobs, other) == bert.id


def test_another_process_has_places_of_its_own(
    jobs: Jobs, metadata: MetadataStore, clock: MovableClock, many: list[Account]
) -> None:
    add(jobs, many[0], 3)
    assert claim(jobs, 1) is not None
    assert claim(jobs, 1) is None
    assert claim(Jobs(metadata, clock, "two"), 1) is not None


def test_the_jobs_of_a_worker_that_is_gone_wait_for_their_turn_too(
    jobs: Jobs, clock: MovableClock, many: list[Account]
) -> None:
    anna, bert, *_ = many
    add(jobs, anna, 2)
    lost = claim(jobs)
    assert lost is not None
    clock.advance(61)
    add(jobs, bert)
    assert served(jobs, 3) == [bert.id, anna.id, anna.id]


def test_an_account_may_have_so_many_jobs_waiting(jobs: Jobs, many: list[Account]) -> None:
    """Of all kinds that are asked for together; publications, which nobody asks for, are not counted."""
    anna, bert, *_ = many
    add(jobs, anna, 30, kind="publication")
    add(jobs, anna, 10)
    add(jobs, anna, 10, kind="statistics")
    with pytest.raises(TooManyJobs, match="20 reports and statistics"):
        add(jobs, anna)
    add(jobs, bert)
    job = claim(jobs)
    assert job is not None
    with pytest.raises(TooManyJobs):
        add(jobs, anna, kind="statistics")
    done(jobs, job)
    add(jobs, anna)


def test_the_limit_is_exact_however_many_ask_at_once(jobs: Jobs, many: list[Account]) -> None:
    refused: list[int] = []

    def ask() -> None:
        for _ in range(8):
            try:
                add(jobs, many[0])
            except TooManyJobs:
                refused.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (jobs.counts()["report", "ready"], len(refused)) == (20, 12)


def test_a_clock_that_goes_back_delays_no_job(jobs: Jobs, clock: MovableClock, many: list[Account]) -> None:
    """Due at once: at once; put off for two minutes: in two minutes; by the clock: by the clock."""
    anna, bert, *_ = many
    add(jobs, anna)
    waits = claim(jobs)
    assert waits is not None
    jobs.put_off(waits, 120, "the bucket does not answer")
    add(jobs, bert)
    with jobs._store.begin() as connection:
        jobs.add(connection, "publication", "at four", anna.id, clock.now_us() + 3600 * SECOND_US)
    clock.advance(-3600)
    at_once = claim(jobs)
    assert at_once is not None
    assert (at_once.account_id, at_once.created_at) == (bert.id, clock.now_us())
    assert claim(jobs) is None
    clock.advance(120)
    assert claim(jobs) is not None
    clock.advance(3600 - 120)
    assert claim(jobs, kind="publication") is None
    clock.advance(3600)
    assert claim(jobs, kind="publication") is not None


def test_a_lease_is_as_long_by_a_clock_that_goes_back(
    jobs: Jobs, metadata: MetadataStore, clock: MovableClock, many: list[Account]
) -> None:
    """Of a living worker it holds, of a dead one it ends."""
    add(jobs, many[0])
    other = Jobs(metadata, clock, "two")
    assert claim(other) is not None
    clock.advance(-3600)
    assert claim(jobs) is None
    clock.advance(59)
    assert claim(jobs) is None
    clock.advance(1)
    assert claim(jobs) is not None


def test_a_start_after_the_clock_went_back(
    jobs: Jobs, metadata: MetadataStore, clock: MovableClock, many: list[Account]
) -> None:
    add(jobs, many[0])
    clock.advance(-3600)
    assert claim(Jobs(metadata, clock, "started after")) is not None
