"""Which slots get a run, over restarts, downtime and clocks that are set back and forward."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
from sqlalchemy import update

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts as account_rows
from airtally.database.tables import schedules as schedule_rows
from airtally.kit.clock import MovableClock
from airtally.kit.time import DAY_US, HOUR_US, MINUTE_US, from_datetime, iso_seconds
from airtally.schedules.states import MOST_WAITING, CatchUp, RunState, ScheduleState
from fixtures.accounts import NOW_US
from fixtures.schedules import ScheduleProcess

HOUR, DAY = 3600, 86400


@pytest.fixture
def process(metadata: MetadataStore, clock: MovableClock) -> ScheduleProcess:
    return ScheduleProcess(metadata, clock)


def us(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text))


def test_a_slot_is_run_once_when_it_comes(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    made = process.create(account, "0 * * * *")
    assert made.next_at == us("2026-11-02T10:00:00+00:00")
    process.plan()
    assert process.rows() == []
    clock.advance(45 * 60)
    process.plan()
    process.plan()
    assert process.run_all() == [us("2026-11-02T10:00:00+00:00")]
    process.plan()
    assert process.run_all() == []
    assert [row.state for row in process.rows()] == [RunState.DONE]
    assert process.stored(made.id).next_at == us("2026-11-02T11:00:00+00:00")


def test_the_account_s_zone_counts_or_a_given_one(process: ScheduleProcess, account: Account) -> None:
    assert process.create(account, "0 9 * * *").next_at == us("2026-11-02T09:00:00-03:00")
    assert process.create(account, "0 9 * * *", timezone="Asia/Kathmandu").next_at == us("2026-11-03T09:00:00+05:45")


def test_an_account_that_moves_takes_its_schedules_along(
    process: ScheduleProcess, account: Account, metadata: MetadataStore
) -> None:
    made = process.create(account, "0 9 * * *")
    with metadata.begin() as connection:
        connection.execute(update(account_rows).values(timezone="Asia/Kathmandu"))
    process.plan()
    assert process.stored(made.id).next_at == us("2026-11-03T09:00:00+05:45")


def test_after_downtime_the_latest_runs_and_the_others_say_why_not(
    process: ScheduleProcess, account: Account, clock: MovableClock
) -> None:
    process.create(account, "0 * * * *")
    clock.advance(5 * HOUR)
    process.plan()
    assert process.run_all() == [us("2026-11-02T14:00:00+00:00")]
    skipped = process.rows(RunState.SKIPPED)
    assert [iso_seconds(row.slot_at)[11:16] for row in skipped] == ["10:00", "11:00", "12:00", "13:00"]
    assert {row.reason for row in skipped} == {
        "A later slot was due before this one could be run, and the schedule catches up with the latest only"
    }


def test_with_all_each_missed_slot_runs_in_order(
    process: ScheduleProcess, account: Account, clock: MovableClock
) -> None:
    process.create(account, "0 * * * *", catch_up=CatchUp.ALL)
    clock.advance(5 * HOUR)
    process.plan()
    assert len(process.rows(RunState.MAKING)) == 1
    assert process.run_all() == [us(f"2026-11-02T{hour}:00:00+00:00") for hour in range(10, 15)]


@pytest.mark.parametrize(("catch_up", "runs"), [(CatchUp.LATEST, 1), (CatchUp.ALL, MOST_WAITING)])
def test_no_storm_after_a_long_time(
    process: ScheduleProcess, account: Account, clock: MovableClock, catch_up: CatchUp, runs: int
) -> None:
    process.create(account, "* * * * *", catch_up=catch_up)
    clock.advance(300 * DAY)
    process.plan()
    assert len(process.run_all()) == runs
    rows = process.rows()
    assert len(rows) == MOST_WAITING + 1
    earlier = rows[0]
    assert earlier.state is RunState.SKIPPED
    assert earlier.first_slot_at == NOW_US + MINUTE_US
    assert earlier.slot_at == rows[1].slot_at - MINUTE_US
    assert earlier.reason == "Nothing ran when these slots were due; only the last 100 are looked at afterwards"


def test_one_run_of_a_schedule_at_a_time(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    process.create(account, "0 * * * *", catch_up=CatchUp.ALL)
    clock.advance(HOUR)
    process.plan()
    job = process.claim()
    assert job is not None
    clock.advance(HOUR)
    process.jobs.renew(job)
    process.plan()
    assert [row.state for row in process.rows()] == [RunState.MAKING, RunState.WAITING]
    assert process.claim() is None
    process.finish(job)
    assert process.run_all() == [us("2026-11-02T11:00:00+00:00")]


def test_schedules_do_not_wait_for_one_another(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    process.create(account, "0 * * * *")
    process.create(account, "0 * * * *")
    clock.advance(HOUR)
    process.plan()
    assert len(process.rows(RunState.MAKING)) == 2


def test_jitter_is_the_schedule_s_own_whatever_restarts(
    process: ScheduleProcess, account: Account, clock: MovableClock, metadata: MetadataStore
) -> None:
    made = [process.create(account, "0 12 * * *", timezone="UTC", jitter_seconds=1800) for _ in range(20)]
    assert len({each.next_at for each in made}) > 15
    noon = us("2026-11-02T12:00:00+00:00")
    assert all(each.next_at is not None and noon <= each.next_at <= noon + 1800_000_000 for each in made)
    again = ScheduleProcess(metadata, clock)
    clock.advance((noon - NOW_US) / 1_000_000)
    while clock.now_us() < noon + HOUR_US // 2:
        clock.advance(60)
        again.plan()
        planned = {row.schedule_id for row in again.rows()}
        assert planned == {each.id for each in made if (each.next_at or 0) <= clock.now_us()}
    assert {row.slot_at for row in again.rows()} == {noon}
    assert {row.schedule_id: row.due_at for row in again.rows()} == {each.id: each.next_at for each in made}


def test_a_run_s_ranges_refer_to_its_slot(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    process.create(account, "0 6 * * *")
    clock.advance(3 * DAY)
    process.plan()
    assert [row.as_of for row in process.rows(RunState.MAKING)] == [us("2026-11-05T06:00:00-03:00")]


def test_a_clock_set_back_runs_no_slot_again(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    process.create(account, "0 * * * *")
    clock.advance(2 * HOUR)
    process.plan()
    assert process.run_all() == [us("2026-11-02T11:00:00+00:00")]
    clock.advance(-1.5 * HOUR)
    ran = []
    for _ in range(10):
        process.plan()
        ran += process.run_all()
        clock.advance(HOUR / 4)
    assert ran == [us("2026-11-02T10:00:00+00:00"), us("2026-11-02T12:00:00+00:00")], (
        "10:00 was skipped ahead of its time"
    )


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_was_a_year_ahead_stops_nothing(
    process: ScheduleProcess, account: Account, clock: MovableClock, metadata: MetadataStore, restarted: bool
) -> None:
    made = process.create(account, "30 * * * *")
    clock.advance(365 * DAY)
    process.plan()
    assert len(process.run_all()) == 1
    clock.advance(-365 * DAY)
    process = ScheduleProcess(metadata, clock) if restarted else process
    process.plan()
    assert process.stored(made.id).next_at == us("2026-11-02T09:30:00+00:00")
    assert process.rows(RunState.SKIPPED) == []
    clock.advance(HOUR)
    process.plan()
    assert process.run_all() == [us("2026-11-02T09:30:00+00:00")]


def test_a_change_right_after_the_clock_went_back(
    process: ScheduleProcess, account: Account, clock: MovableClock
) -> None:
    made = process.create(account, "30 * * * *")
    clock.advance(365 * DAY)
    process.plan()
    process.run_all()
    clock.advance(-365 * DAY)
    process.schedules.pause(account, made.id)
    assert process.schedules.resume(account, made.id).next_at == us("2026-11-02T09:30:00+00:00")


def test_two_processes_plan_each_slot_once(
    process: ScheduleProcess, account: Account, clock: MovableClock, metadata: MetadataStore
) -> None:
    for _ in range(10):
        process.create(account, "*/10 * * * *", catch_up=CatchUp.ALL)
    other = ScheduleProcess(metadata, clock)
    clock.advance(HOUR)
    ran: list[tuple[int, int]] = []

    def work(each: ScheduleProcess) -> None:
        each.plan()
        while (job := each.claim()) is not None:
            run = each.finish(job)
            ran.append((run.schedule_id, run.slot_at))
            each.plan()

    threads = [threading.Thread(target=work, args=(each,)) for each in (process, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work(process)
    assert len(ran) == len(set(ran)) == 60
    assert {row.state for row in process.rows()} == {RunState.DONE}


def test_a_schedule_that_cannot_be_planned_is_in_nobody_s_way(
    process: ScheduleProcess, account: Account, clock: MovableClock, metadata: MetadataStore
) -> None:
    bad, good = process.create(account, "0 * * * *"), process.create(account, "0 * * * *")
    with metadata.begin() as connection:
        connection.execute(
            update(schedule_rows).where(schedule_rows.c.id == bad.id).values(timezone="Mars/Olympus", planned_zone="")
        )
    clock.advance(HOUR)
    process.plan()
    assert [row.schedule_id for row in process.rows()] == [good.id]
    stored = process.stored(bad.id)
    assert stored.state is ScheduleState.PAUSED
    assert stored.pause_reason == "It cannot be planned: there is no time zone 'Mars/Olympus'"


def test_what_is_missed_over_a_change_of_clocks(
    process: ScheduleProcess, account: Account, clock: MovableClock
) -> None:
    """A week of downtime over the end of summer time in New York."""
    clock.advance((us("2026-10-30T00:00:00-04:00") - NOW_US) / 1_000_000)
    process.create(account, "30 1 * * *", timezone="America/New_York", catch_up=CatchUp.ALL)
    clock.advance(4 * DAY)
    process.plan()
    ran = [iso_seconds(slot) for slot in process.run_all()]
    assert ran == [f"2026-{day}:30:00+00:00" for day in ("10-30T05", "10-31T05", "11-01T05", "11-02T06")]
    assert clock.now_us() == us("2026-10-30T04:00:00+00:00") + 4 * DAY_US
