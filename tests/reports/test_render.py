"""The days of a report, read from the lake and written as compressed lines, in this process or the child."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import msgspec
import pytest

from airtally.accounts.accounts import Account
from airtally.engine.child import HeavyOptions
from airtally.engine.child_process import ChildProcess, InProcess
from airtally.engine.protocol import Engine, FilesMissing
from airtally.kit import metrics
from airtally.kit.errors import StorageFull
from airtally.kit.runner import Runner
from airtally.query.lines import OrderedBy
from airtally.reports import render
from airtally.reports.parts import DayFile
from airtally.reports.render import Day, Plan, ReportRenderer
from airtally.reports.rendering import DayWork, render_day
from airtally.reports.report import Report
from airtally.reports.requests import ReportRequest
from airtally.reports.service import Reports
from airtally.storage.lake.snapshot import DataFile
from airtally.vendors.fouryousee.detailed import DETAILED
from fixtures.reports import P1, P2, P3, P4, TWO_DAYS, ReportHome, text

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

FIRST, SECOND = date(2026, 10, 1), date(2026, 10, 2)


@pytest.fixture
def report(reports: Reports, account: Account) -> Report:
    return reports.create(account, ReportRequest(TWO_DAYS))


def renderer(
    report_home: ReportHome, engine: Engine, heavy: Runner | None = None, memory: int = 256 << 20
) -> ReportRenderer:
    options = HeavyOptions(memory=memory, temp_folder=report_home.folder / "heavy")
    return ReportRenderer(DETAILED, report_home.event_store, engine, heavy or InProcess(), options)


def rendered(renderer: ReportRenderer, plan: Plan, folder: Path) -> tuple[list[DayFile], str]:
    """All days of a plan, and their lines."""
    paths = [folder / f"{day.day}.deflate" for day in plan.days]
    made = renderer.render(plan, plan.days, paths)
    assert [each.packed.packed_bytes for each in made] == [path.stat().st_size for path in paths]
    return made, "".join(zlib.decompressobj(wbits=-15).decompress(path.read_bytes()).decode() for path in paths)


def test_a_plan_has_the_days_with_rows_in_the_order_of_the_file(
    report_home: ReportHome, duckdb_engine: Engine, account: Account, report: Report
) -> None:
    """All of it lies in the lake by then; rows before the filter are counted."""
    report_home.send(P1, P2, P4)
    maker = renderer(report_home, duckdb_engine)
    plan = maker.plan(account, replace(report, filter=msgspec.structs.replace(TWO_DAYS, media_id=(48,))))
    assert plan.days == (Day(SECOND, 1), Day(FIRST, 2))
    assert (plan.rows, plan.snapshot.buffered) == (3, ())
    assert maker.plan(
        account, replace(report, filter=msgspec.structs.replace(TWO_DAYS, start_date="2026-10-02"))
    ).days == (Day(SECOND, 1),)


def test_rows_that_come_after_the_plan_are_not_in_the_report(
    report_home: ReportHome, duckdb_engine: Engine, account: Account, report: Report, tmp_path: Path
) -> None:
    report_home.send(P1)
    maker = renderer(report_home, duckdb_engine)
    plan = maker.plan(account, report)
    report_home.send(P2)
    report_home.event_store.flush()
    made, lines = rendered(maker, plan, tmp_path)
    assert lines == text(P1)
    assert [(each.day, each.rows, each.data_through) for each in made] == [(FIRST, 1, plan.snapshot.data_through_us)]


def test_the_same_lines_on_both_engines(
    report_home: ReportHome, engine: Engine, account: Account, report: Report, tmp_path: Path
) -> None:
    report_home.send(P1 | {"id": "a"}, P2 | {"id": "b"}, P3, P4, P3)
    report_home.event_store.flush()
    report_home.send(P1 | {"id": "a", "media_id": 99}, P2 | {"id": "b"})
    maker = renderer(report_home, engine)
    _, lines = rendered(maker, maker.plan(account, report), tmp_path)
    assert lines == text(P4, P3, P3, P2, P1 | {"media_id": 99})


def test_a_large_report_is_rendered_in_the_child_process(
    report_home: ReportHome,
    duckdb_engine: Engine,
    account: Account,
    report: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(render, "SMALL_ROWS", 0)
    report_home.send(P1, P2 | {"id": "x"}, P4)
    report_home.event_store.flush()
    report_home.send(P2 | {"id": "x", "media_id": 9})
    child = ChildProcess()
    try:
        maker = renderer(report_home, duckdb_engine, child)
        _, lines = rendered(maker, maker.plan(account, report), tmp_path)
        assert child.pid is not None
    finally:
        child.close()
    assert lines == text(P4, P2 | {"media_id": 9}, P1)


def test_a_small_report_needs_no_child_process(
    report_home: ReportHome, duckdb_engine: Engine, account: Account, report: Report, tmp_path: Path
) -> None:
    report_home.send(P1)
    child = ChildProcess()
    maker = renderer(report_home, duckdb_engine, child)
    rendered(maker, maker.plan(account, report), tmp_path)
    assert child.pid is None


def ordered_days(by: OrderedBy) -> float:
    return metrics.REPORT_DAYS.labels(by)._value.get()


def test_days_are_put_in_order_in_memory_unless_that_is_too_little(
    report_home: ReportHome, duckdb_engine: Engine, account: Account, report: Report, tmp_path: Path
) -> None:
    """The metric counts days with lines, by who put them in order."""
    report_home.send(P1, P2, P4)
    before = {by: ordered_days(by) for by in OrderedBy}
    maker = renderer(report_home, duckdb_engine)
    _, lines = rendered(maker, maker.plan(account, report), tmp_path)
    assert {by: ordered_days(by) - before[by] for by in OrderedBy} == {OrderedBy.MEMORY: 2, OrderedBy.ENGINE: 0}
    maker = renderer(report_home, duckdb_engine, memory=100)
    assert rendered(maker, maker.plan(account, report), tmp_path)[1] == lines == text(P4, P2, P1)
    assert {by: ordered_days(by) - before[by] for by in OrderedBy} == {OrderedBy.MEMORY: 2, OrderedBy.ENGINE: 2}


@pytest.mark.parametrize(("media", "in_child"), [((9,), False), ((48, 9), True), ((), True)])
def test_few_lines_of_many_rows_need_no_child_process(
    report_home: ReportHome,
    duckdb_engine: Engine,
    account: Account,
    report: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    media: tuple[int, ...],
    in_child: bool,
) -> None:
    """Corrections, too, are rows that must be looked at."""
    monkeypatch.setattr(render, "SMALL_ROWS", 4)
    report_home.send(*[P1 | {"media_id": 48} for _ in range(3)], P4 | {"media_id": 9}, P4)
    runner = Counted()
    maker = renderer(report_home, duckdb_engine, runner)
    asked = replace(report, filter=msgspec.structs.replace(TWO_DAYS, media_id=media))
    made, _ = rendered(maker, maker.plan(account, asked), tmp_path)
    assert sum(each.rows for each in made) == {(9,): 1, (48, 9): 4, (): 5}[media]
    assert (runner.calls > 0) is in_child


class Counted(InProcess):
    """Counts what would be run in the child process."""

    calls = 0

    def run(self, function: Callable[[*Ts], T], /, *args: *Ts) -> T:
        self.calls += 1
        return super().run(function, *args)


def test_a_day_alone_is_compressed_while_its_lines_are_made(
    report_home: ReportHome, duckdb_engine: Engine, account: Account, report: Report, tmp_path: Path
) -> None:
    """A disk that is full then leaves neither a file nor a thread."""
    report_home.send(P1, P2)
    maker = renderer(report_home, duckdb_engine)
    plan = maker.plan(account, report)
    work = DayWork(FIRST, tmp_path / "day", 1 << 20, ahead=True)
    assert render_day(duckdb_engine, plan.extract, plan.snapshot, work).rows == 2
    before = threading.active_count()
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(StorageFull):
        render_day(duckdb_engine, plan.extract, plan.snapshot, replace(work, path=full))
    assert (threading.active_count(), full.is_symlink()) == (before, False)


def planned(
    report_home: ReportHome, maker: ReportRenderer, account: Account, report: Report, rows: int, days: int
) -> Plan:
    """A plan of so many days with as many rows each; no file of them is there."""
    plan = maker.plan(account, report)
    files = tuple(DataFile("gone", rows, 1, f"2026-10-{day + 1:02}", ids_all_null=True) for day in range(days))
    return replace(
        plan,
        days=tuple(Day(date(2026, 10, day + 1), rows) for day in range(days)),
        snapshot=replace(plan.snapshot, uncompacted=files),
    )


@pytest.mark.parametrize(
    ("rows", "days", "sizes"),
    [
        (10, 3, [1, 1, 1]),
        (100_000, 3, [3]),
        (600_000, 5, [2, 2, 1]),
        (250_000, 7, [6, 1]),
        (1_300_000, 2, [1, 1]),
    ],
)
def test_days_of_large_reports_are_rendered_several_at_once(
    report_home: ReportHome,
    duckdb_engine: Engine,
    account: Account,
    report: Report,
    rows: int,
    days: int,
    sizes: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two cores get as many days each, and a large day both."""
    monkeypatch.setattr(render, "CORES", 2)
    maker = renderer(report_home, duckdb_engine)
    plan = planned(report_home, maker, account, report, rows, days)
    groups = list(maker.groups(plan, plan.days))
    assert [len(group) for group in groups] == sizes
    assert [day for group in groups for day in group] == list(plan.days)


def test_a_day_that_cannot_be_rendered_leaves_no_file(
    report_home: ReportHome, duckdb_engine: Engine, account: Account, report: Report, tmp_path: Path
) -> None:
    report_home.send(P1)
    maker = renderer(report_home, duckdb_engine)
    plan = maker.plan(account, report)
    Path(plan.snapshot.uncompacted[0].path).unlink()
    with pytest.raises(FilesMissing):
        maker.render(plan, plan.days, [tmp_path / "day.deflate"])
    assert not (tmp_path / "day.deflate").exists()
