"""Schedules created, changed, paused, deleted and asked for a run, by their account alone."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import update

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts as account_rows
from airtally.kit.clock import MovableClock
from airtally.kit.errors import BadRequest, NotFound, Unprocessable
from airtally.kit.time import MINUTE_US, from_datetime, iso_seconds
from airtally.schedules import service
from airtally.schedules.expiry import RUN_DAYS, RunExpiry
from airtally.schedules.late import LateSlots
from airtally.schedules.schedule import jitter_us
from airtally.schedules.service import ScheduleSpec, TooManySchedules
from airtally.schedules.states import CatchUp, RunState, ScheduleState
from airtally.schedules.wanted import DeliverTo
from fixtures.schedules import ScheduleProcess

HOUR, DAY = 3600, 86400


@pytest.fixture
def process(metadata: MetadataStore, clock: MovableClock) -> ScheduleProcess:
    return ScheduleProcess(metadata, clock)


def us(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text))


def states(process: ScheduleProcess) -> list[RunState]:
    return [row.state for row in process.rows()]


def test_what_was_said_is_kept(process: ScheduleProcess, account: Account) -> None:
    made = process.create(
        account,
        "@daily",
        timezone="Europe/Berlin",
        jitter_seconds=300,
        catch_up=CatchUp.ALL,
        late_minutes=15,
        most_failures=2,
        deliver=DeliverTo(email=("ana@example.com",)),
    )
    assert made == process.schedules.get(account, made.id)
    assert (made.cron, made.state, made.requested_by) == ("0 0 * * *", ScheduleState.ACTIVE, "a test")
    spec = ScheduleSpec.of(made)
    assert (spec.timezone, spec.jitter_seconds, spec.catch_up) == ("Europe/Berlin", 300, CatchUp.ALL)
    assert spec.deliver.email == ("ana@example.com",)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"jitter_seconds": -1}, {"jitter_seconds": 21_601}, {"late_minutes": 0}, {"most_failures": 0}),
        *({"most_failures": 101}, {"timezone": "Mars/Olympus"}, {"timezone": "../etc/passwd"}),
        {"deliver": DeliverTo(email=tuple(f"a{n}@example.com" for n in range(21)))},
    ],
)
def test_values_out_of_bounds(process: ScheduleProcess, account: Account, wrong: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable):
        process.create(account, "@daily", **wrong)


def test_an_expression_that_is_none(process: ScheduleProcess, account: Account) -> None:
    with pytest.raises(Unprocessable, match="bad minute"):
        process.create(account, "61 * * * *")
    with pytest.raises(Unprocessable, match="bad day-of-month"):
        process.create(account, "0 0 30 2 *")
    with pytest.raises(BadRequest):
        process.schedules.create(account, replace(spec(process), name="\n"), requested_by="a test")


def spec(process: ScheduleProcess) -> ScheduleSpec:
    from fixtures.schedules import YESTERDAY

    return ScheduleSpec(name="Plays", cron="0 * * * *", product=YESTERDAY)


def test_another_account_s_schedule_is_not_there(
    process: ScheduleProcess, account: Account, other_account: Account, clock: MovableClock
) -> None:
    made = process.create(account, "0 * * * *")
    clock.advance(HOUR)
    process.plan()
    (run,) = process.rows()
    schedules = process.schedules
    for call in (
        lambda: schedules.get(other_account, made.id),
        lambda: schedules.change(other_account, made.id, lambda _: spec(process)),
        lambda: schedules.pause(other_account, made.id),
        lambda: schedules.resume(other_account, made.id),
        lambda: schedules.delete(other_account, made.id),
        lambda: schedules.run_now(other_account, made.id),
        lambda: process.runs.get(other_account, made.id, run.id),
        lambda: process.runs.get(account, made.id + 1, run.id),
    ):
        with pytest.raises(NotFound):
            call()
    assert schedules.page(other_account) == []
    assert process.runs.page(other_account, made.id) == []
    assert process.runs.get(account, made.id, run.id) == run


def test_pages(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    made = [process.create(account, "0 * * * *").id for _ in range(5)]
    first = process.schedules.page(account, limit=3)
    second = process.schedules.page(account, after=first[-1].id, limit=3)
    assert [each.id for each in (*first, *second)] == made[::-1]
    process.schedules.pause(account, made[2])
    assert [each.id for each in process.schedules.page(account, states=[ScheduleState.PAUSED])] == [made[2]]


def test_an_account_has_so_many_schedules(
    process: ScheduleProcess, account: Account, other_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_SCHEDULES", 3)
    for _ in range(3):
        process.create(account, "0 * * * *")
    with pytest.raises(TooManySchedules):
        process.create(account, "0 * * * *")
    process.create(other_account, "0 * * * *")


def test_the_next_times(process: ScheduleProcess, account: Account) -> None:
    made = process.create(account, "30 1 * * *", timezone="America/New_York", jitter_seconds=600)
    shown = process.schedules.next_times(account, made, 3)
    assert [iso_seconds(slot) for slot, _ in shown] == [f"2026-11-0{day}T06:30:00+00:00" for day in (3, 4, 5)]
    assert {due - slot for slot, due in shown} == {jitter_us(made.id, 600)}
    assert process.schedules.next_times(account, process.schedules.pause(account, made.id)) == []


def test_a_pause_runs_what_came_before_it_and_says_what_it_left_out(
    process: ScheduleProcess, account: Account, clock: MovableClock
) -> None:
    made = process.create(account, "0 * * * *")
    clock.advance(HOUR)
    process.schedules.pause(account, made.id)
    assert process.run_all() == [us("2026-11-02T10:00:00+00:00")]
    clock.advance(3 * HOUR)
    process.plan()
    assert states(process) == [RunState.DONE]
    process.schedules.resume(account, made.id)
    process.schedules.resume(account, made.id)
    skipped = process.rows(RunState.SKIPPED)
    assert [(iso_seconds(row.first_slot_at or 0), iso_seconds(row.slot_at)) for row in skipped] == [
        ("2026-11-02T11:00:00+00:00", "2026-11-02T13:00:00+00:00")
    ]
    assert skipped[0].reason == "The schedule was paused: somebody paused it"
    clock.advance(HOUR)
    process.plan()
    assert process.run_all() == [us("2026-11-02T14:00:00+00:00")]


def test_slots_that_wait_are_skipped_by_a_pause(
    process: ScheduleProcess, account: Account, clock: MovableClock
) -> None:
    made = process.create(account, "0 * * * *", catch_up=CatchUp.ALL)
    clock.advance(3 * HOUR)
    process.plan()
    process.schedules.pause(account, made.id)
    assert states(process) == [RunState.MAKING, RunState.SKIPPED, RunState.SKIPPED]
    assert process.rows()[-1].reason == "The schedule is paused: somebody paused it"


def test_a_change_counts_from_now_on(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    made = process.create(account, "0 * * * *", jitter_seconds=1800)
    clock.advance(2 * HOUR - 900)  # 11:00 exactly
    process.plan()
    process.run_all()
    process.schedules.change(account, made.id, lambda spec: replace(spec, cron="30 * * * *", jitter_seconds=0))
    assert us("2026-11-02T11:00:00+00:00") in {row.slot_at for row in process.rows()}, "its jitter is cut short"
    process.run_all()
    clock.advance(HOUR)
    process.plan()
    assert process.run_all() == [us("2026-11-02T11:30:00+00:00")]


def test_a_shorter_jitter_loses_no_slot(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    made = process.create(account, "0 * * * *", jitter_seconds=21_600, catch_up=CatchUp.ALL)
    ran: list[int] = []
    for _ in range(8):
        clock.advance(HOUR)
        process.plan()
        ran += process.run_all()
    process.schedules.change(account, made.id, lambda spec: replace(spec, jitter_seconds=0))
    ran += process.run_all()
    clock.advance(HOUR)
    process.plan()
    ran += process.run_all()
    assert [iso_seconds(slot)[11:13] for slot in ran] == [f"{hour:02}" for hour in range(10, 19)]


def test_a_run_that_is_asked_for(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    made = process.create(account, "0 * * * *")
    process.schedules.pause(account, made.id)
    run = process.schedules.run_now(account, made.id)
    assert (run.state, run.asked, run.as_of) == (RunState.MAKING, True, clock.now_us())
    earlier = process.schedules.run_now(account, made.id, clock.now_us() - 3 * DAY * 1_000_000)
    assert earlier.state is RunState.WAITING
    assert earlier.as_of == clock.now_us() - 3 * DAY * 1_000_000
    assert len(process.run_all()) == 2
    with pytest.raises(Unprocessable, match="has not come"):
        process.schedules.run_now(account, made.id, clock.now_us() + 1)


def test_at_a_slot_s_own_moment_both_are_run(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    made = process.create(account, "0 * * * *", catch_up=CatchUp.ALL)
    clock.advance(45 * 60)
    runs = [process.schedules.run_now(account, made.id) for _ in range(3)]
    assert all(run.slot_at % MINUTE_US for run in runs)
    process.plan()
    assert len(process.run_all()) == 4


def test_so_many_runs_are_asked_for_at_once(process: ScheduleProcess, account: Account) -> None:
    made = process.create(account, "0 * * * *")
    for _ in range(service.MOST_ASKED):
        process.schedules.run_now(account, made.id)
    with pytest.raises(TooManySchedules):
        process.schedules.run_now(account, made.id)


def test_a_failed_run_that_was_asked_for_does_not_count(process: ScheduleProcess, account: Account) -> None:
    made = process.create(account, "0 * * * *", most_failures=1)
    process.schedules.run_now(account, made.id)
    job = process.claim()
    assert job is not None
    process.finish(job, failure="no")
    stored = process.stored(made.id)
    assert (stored.failures, stored.state) == (0, ScheduleState.ACTIVE)


def test_deleting_ends_all(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    made, other = process.create(account, "0 * * * *"), process.create(account, "0 * * * *")
    clock.advance(HOUR)
    process.plan()
    process.schedules.delete(account, made.id)
    process.plan()
    assert [row.schedule_id for row in process.rows()] == [other.id]
    assert len(process.run_all()) == 1
    with pytest.raises(NotFound):
        process.schedules.get(account, made.id)


def test_late_slots(process: ScheduleProcess, account: Account, clock: MovableClock, metadata: MetadataStore) -> None:
    made = process.create(account, "0 * * * *", late_minutes=30)
    process.schedules.pause(account, process.create(account, "0 * * * *", late_minutes=1).id)
    late = LateSlots(metadata)
    clock.advance(45 * 60 + 29 * 60)
    assert late.late(clock.now_us()) == []
    clock.advance(60)
    (unplanned,) = late.late(clock.now_us())
    assert (unplanned.schedule_id, unplanned.run_id) == (made.id, None)
    assert iso_seconds(unplanned.slot_at) == "2026-11-02T10:00:00+00:00"
    assert unplanned.why.startswith("Nothing has planned it")
    process.plan()
    (planned,) = late.late(clock.now_us())
    assert (planned.slot_at, planned.why) == (unplanned.slot_at, "It is being made")
    process.run_all()
    assert late.late(clock.now_us()) == []


def test_nothing_runs_and_nothing_is_late_in_a_closed_account(
    process: ScheduleProcess, account: Account, clock: MovableClock, metadata: MetadataStore
) -> None:
    process.create(account, "0 * * * *", late_minutes=1)
    with metadata.begin() as connection:
        connection.execute(update(account_rows).values(closed_at=clock.now_us()))
    clock.advance(5 * HOUR)
    process.plan()
    assert process.rows() == []
    assert LateSlots(metadata).late(clock.now_us()) == []


def test_two_changes_at_the_same_moment_are_both_kept(process: ScheduleProcess, account: Account) -> None:
    made = process.create(account, "0 * * * *")
    second = threading.Thread(
        target=lambda: process.schedules.change(account, made.id, lambda spec: replace(spec, late_minutes=7))
    )

    def rename(spec: ScheduleSpec) -> ScheduleSpec:
        second.start()
        return replace(spec, name="Renamed")

    process.schedules.change(account, made.id, rename)
    second.join(60)
    found = process.schedules.get(account, made.id)
    assert (found.name, found.late_minutes) == ("Renamed", 7)


def test_old_runs_are_removed(process: ScheduleProcess, account: Account, clock: MovableClock) -> None:
    process.create(account, "0 0 * * *")
    for _ in range(10):
        clock.advance(DAY)
        process.plan()
        process.run_all()
    expiry = RunExpiry(process.store, clock, process.jobs)
    clock.advance((RUN_DAYS - 5) * DAY)
    assert expiry.step() == 0.0
    assert expiry.step() is None
    assert len(process.rows()) == 5
    assert process.jobs.counts() == {("schedule", "done"): 5}
