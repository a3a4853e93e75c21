"""Each slot runs exactly once or says why not: random expressions, zones (the machine's too), deaths and clocks, naively counted."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from airtally.accounts.accounts import Account, Accounts
from airtally.database.store import MetadataStore
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Unprocessable
from airtally.kit.time import DAY_US, SECOND_US, from_datetime
from airtally.schedules.schedule import Schedule, ScheduleRun
from airtally.schedules.states import CatchUp, RunState
from fixtures.cron import DAILY, EXPRESSIONS, naive
from fixtures.schedules import ScheduleProcess
from fixtures.zones import ZONES, during

#: Zones with a change of their clocks nearby: back, forward by half an hour, and none.
PLACES = [
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Asia/Kathmandu", date(2026, 11, 1)),
]
STEPS = st.one_of(
    st.tuples(st.just("advance"), st.sampled_from([20, 600, 3600, 5 * 3600, 86_400, 2 * 86_400])),
    st.tuples(st.just("back"), st.sampled_from([30, 1800, 7200, 86_400])),
    st.tuples(st.just("ahead"), st.sampled_from([3600, 2 * 86_400, 400 * 86_400])),
    st.tuples(st.just("pass"), st.sampled_from([600, 3600, 5 * 3600])),
    st.tuples(st.sampled_from(["plan", "run", "begin", "end", "die", "restart", "other"]), st.just(0)),
)


@dataclass
class World:
    """Two processes on one store, whose workers live and die."""

    store: MetadataStore
    clock: MovableClock
    lowest: int
    processes: list[ScheduleProcess] = field(default_factory=list)
    held: list[tuple[ScheduleProcess, Job]] = field(default_factory=list)
    ran: Counter[int] = field(default_factory=Counter)

    @property
    def process(self) -> ScheduleProcess:
        return self.processes[0]

    def step(self, action: str, amount: int) -> None:
        getattr(self, f"_{action}")(amount)

    def _advance(self, seconds: int) -> None:
        self.clock.advance(seconds)

    def _back(self, seconds: int) -> None:
        self.clock.advance(-seconds)
        self.lowest = min(self.lowest, self.clock.now_us())

    def _pass(self, seconds: int) -> None:
        """Time passes as it should."""
        self.clock.advance(seconds)
        self._plan(0)
        self._run(0)

    def _ahead(self, seconds: int) -> None:
        """The clock is wrong for a moment."""
        self._pass(seconds)
        self.clock.advance(-seconds)

    def _plan(self, _: int) -> None:
        self.process.plan()

    def _run(self, _: int) -> None:
        while (job := self.process.claim()) is not None:
            self._finish(self.process, job)

    def _begin(self, _: int) -> None:
        """A worker takes a run up, and works on it for a while."""
        job = self.process.claim()
        if job is not None:
            self.held.append((self.process, job))

    def _end(self, _: int) -> None:
        """It ends, late as it may be; then its lease is lost."""
        if self.held:
            self._finish(*self.held.pop(0))

    def _die(self, _: int) -> None:
        """Nobody hears of it again; its lease has to run out."""
        if self.held:
            self.held.pop(0)

    def _restart(self, _: int) -> None:
        self.processes[0] = ScheduleProcess(self.store, self.clock)

    def _other(self, _: int) -> None:
        self.processes.reverse()

    def _finish(self, process: ScheduleProcess, job: Job) -> None:
        with suppress(LeaseLost):
            self.ran[process.finish(job).slot_at] += 1

    def settle(self) -> None:
        """Let every lease run out and everything due be done, with the clock as it is."""
        self.held.clear()
        self.clock.advance(120)
        self._restart(0)
        for _ in range(300):
            self.process.plan()
            self._run(0)
            if not self.process.rows(RunState.WAITING, RunState.MAKING):
                return
        raise AssertionError("runs are left over")


def check(world: World, schedule: Schedule, zone: str, start: int) -> None:
    """Each slot of the naive search has one row, or lies in a row for several that says why they did not run."""
    rows, now = world.process.rows(), world.clock.now_us() - schedule.jitter_us
    expected = set(naive(schedule.cron, zone, start + 1, now + 1))
    own = {row.slot_at: row for row in rows}
    assert {slot for slot, row in own.items() if row.state is RunState.DONE} == set(world.ran)
    assert set(world.ran.values()) <= {1}
    assert all(row.reason for row in rows if row.state is RunState.SKIPPED)
    assert {row.state for row in rows} <= {RunState.DONE, RunState.SKIPPED}
    assert [slot for slot in expected if slot not in own and not any(covers(row, slot) for row in rows)] == []
    ahead = {slot for slot in own if slot > now}
    before = set(naive(schedule.cron, zone, world.lowest - schedule.jitter_us, start + 1))
    assert set(own) - ahead <= expected | before, "a clock behind the schedule's creation has slots too"
    assert ahead <= set(world.ran), "only what ran while the clock was ahead"


def covers(row: ScheduleRun, slot: int) -> bool:
    return row.first_slot_at is not None and row.first_slot_at <= slot <= row.slot_at


@given(
    text=st.one_of(DAILY, EXPRESSIONS),
    place=st.sampled_from(PLACES),
    catch_up=st.sampled_from(CatchUp),
    jitter=st.sampled_from([0, 600, 7200]),
    steps=st.lists(STEPS, min_size=5, max_size=30),
    machine=st.sampled_from(ZONES),
)
@settings(max_examples=25)
def test_each_slot_runs_once_or_says_why_not(
    _sqlite_template: Path,  # noqa: PT019
    text: str,
    place: tuple[str, date],
    catch_up: CatchUp,
    jitter: int,
    steps: list[tuple[str, int]],
    machine: str,
) -> None:
    zone, day = place
    start = from_datetime(datetime.fromisoformat(f"{day}T00:00:00+00:00")) - DAY_US + 7 * SECOND_US
    clock = MovableClock(start)
    with tempfile.TemporaryDirectory() as folder, during(machine):
        shutil.copy(_sqlite_template, Path(folder) / "metadata.sqlite")
        store = MetadataStore.open(f"sqlite:///{folder}/metadata.sqlite")
        try:
            account: Account = Accounts(store, clock).create("Acme", timezone=zone)
            world = World(store, clock, start, [ScheduleProcess(store, clock), ScheduleProcess(store, clock)])
            try:
                schedule = world.process.create(account, text, catch_up=catch_up, jitter_seconds=jitter)
            except Unprocessable:
                assert naive(text, zone, start, start + 30 * DAY_US) == []
                return
            for action, amount in steps:
                world.step(action, amount)
            clock.advance(max(0, (start - clock.now_us()) / SECOND_US))
            world.settle()
            check(world, schedule, zone, start)
        finally:
            store.close()
