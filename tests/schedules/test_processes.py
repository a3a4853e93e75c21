"""Real processes: one that is killed in the middle of a run and followed by another, and two on one database."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from airtally.accounts.accounts import Account, Accounts
from airtally.database.store import MetadataStore
from airtally.database.tables import exports, messages, schedule_runs, webhook_endpoints
from airtally.kit.time import DAY_US, HOUR_US, MINUTE_US
from airtally.schedules.parts import MadeBySchedules, schedule_parts
from airtally.schedules.service import Schedules, ScheduleSpec
from airtally.schedules.states import CatchUp, RunState
from airtally.schedules.wanted import DeliverTo
from fixtures.accounts import NOW_US
from fixtures.postgres import on_sqlite
from fixtures.schedule_home import COUNTS
from fixtures.schedule_program import FileClock

_TESTS = Path(__file__).parents[1]


@pytest.fixture
def clock(tmp_path: Path) -> FileClock:
    clock = FileClock(tmp_path / "clock")
    clock.set(NOW_US)
    return clock


@pytest.fixture
def schedules(metadata: MetadataStore, clock: FileClock, accounts: Accounts, reports: Any, messages: Any) -> Schedules:
    """To make schedules with; it makes none of their runs."""
    from airtally.api.exports.planner import ReadSpecs
    from airtally.exports.service import Exports
    from airtally.jobs.queue import Jobs

    jobs = Jobs(metadata, clock, "the test")
    made = Exports(metadata, clock, jobs=jobs, planner=ReadSpecs(), count_rows=lambda _: 0)
    links: Any = None
    return schedule_parts(metadata, clock, jobs, accounts, MadeBySchedules(made, links, reports, messages)).schedules


@pytest.fixture
def start(tmp_path: Path, database_url: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    found: list[subprocess.Popen[str]] = []

    def start(point: str = "-") -> subprocess.Popen[str]:
        words = [tmp_path / "home", database_url, tmp_path / "clock", point]
        program = [sys.executable, "-m", "fixtures.schedule_program", *map(str, words)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
        found.append(subprocess.Popen(program, cwd=_TESTS, **pipes))
        return found[-1]

    yield start
    for each in found:
        each.kill()
        each.communicate()


def until(metadata: MetadataStore, state: RunState, number: int, *, seconds: float = 120) -> None:
    query = select(func.count()).where(schedule_runs.c.state == state)
    deadline = time.monotonic() + seconds
    while True:
        with metadata.read() as connection:
            if connection.execute(query).scalar_one() >= number:
                return
            states = connection.execute(select(schedule_runs.c.state, schedule_runs.c.reason)).all()
        assert time.monotonic() < deadline, Counter(states)
        time.sleep(0.05)


def count(metadata: MetadataStore, table: Any) -> int:
    with metadata.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def add_endpoint(metadata: MetadataStore, account: Account) -> int:
    """Nothing is sent in these tests."""
    values = {"account_id": account.id, "url": "http://127.0.0.1:1/", "description": "", "enabled": True}
    values |= {"secret_sealed": b"", "failures": 0, "created_at": 0, "updated_at": 0}
    with metadata.begin() as connection:
        added = webhook_endpoints.insert().values(values).returning(webhook_endpoints.c.id)
        return int(connection.execute(added).scalar_one())


def create(schedules: Schedules, account: Account, **more: Any) -> None:
    spec = ScheduleSpec(name="Plays", cron="0 * * * *", product=COUNTS, **more)
    schedules.create(account, spec, requested_by="a test")


@on_sqlite
@pytest.mark.parametrize("point", ["schedule.wait", "schedule.begin", "export.begin", "schedule.deliver"])
def test_a_process_killed_in_the_middle_of_a_run_is_followed_by_another(
    metadata: MetadataStore, clock: FileClock, account: Account, schedules: Schedules, start: Any, point: str
) -> None:
    create(schedules, account, deliver=DeliverTo(endpoints=(add_endpoint(metadata, account),)))
    clock.set(NOW_US + HOUR_US)
    assert start(point).wait(120) == -9
    assert count(metadata, messages) == 0
    start()
    until(metadata, RunState.DELIVERING, 1)
    assert (count(metadata, schedule_runs), count(metadata, exports), count(metadata, messages)) == (1, 1, 1)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_processes_run_each_slot_once(
    metadata: MetadataStore, clock: FileClock, account: Account, schedules: Schedules, start: Any
) -> None:
    for _ in range(5):
        create(schedules, account, catch_up=CatchUp.ALL)
    for _ in range(2):
        start()
    for hour in (1, 2, 3):
        clock.set(NOW_US + hour * HOUR_US)
        until(metadata, RunState.DONE, 5 * hour)
    clock.set(NOW_US + 2 * HOUR_US)  # set back: what has run does not run again
    time.sleep(2)
    clock.set(NOW_US + 3 * HOUR_US + MINUTE_US)
    time.sleep(2)
    with metadata.read() as connection:
        slots = connection.execute(select(schedule_runs.c.schedule_id, schedule_runs.c.slot_at)).all()
    assert len(slots) == len(set(slots)) == 15
    assert count(metadata, exports) == 15


@on_sqlite
def test_a_process_that_comes_back_after_two_days_runs_the_latest_slot(
    metadata: MetadataStore, clock: FileClock, account: Account, schedules: Schedules, start: Any
) -> None:
    create(schedules, account)
    clock.set(NOW_US + HOUR_US)
    assert start("schedule.begin").wait(120) == -9
    clock.set(NOW_US + 2 * DAY_US)
    start()
    until(metadata, RunState.DONE, 2)
    with metadata.read() as connection:
        states = Counter(connection.execute(select(schedule_runs.c.state)).scalars())
    assert states == {"done": 2, "skipped": 46}, "the one that was begun, and the latest"
