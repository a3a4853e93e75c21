"""Building reports: from acknowledged rows to a file, through trouble, restarts and takeovers."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.jobs.queue import Jobs
from airtally.kit.clock import MovableClock
from airtally.kit.errors import LimitExceeded, StorageFull, Unavailable
from airtally.kit.faults import Faults
from airtally.reports.outbox import Deliveries
from airtally.reports.parts import DayFile
from airtally.reports.render import Day, Plan, ReportRenderer
from airtally.reports.report import Report
from airtally.reports.requests import PlayFilter, ReportRequest
from airtally.reports.service import JOB_KIND, Reports
from fixtures.reports import P1, P2, P3, P4, TWO_DAYS, ReportHome, text

#: What depends on the kind of metadata store is tested with the jobs and the deliveries.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def built(report_home: ReportHome, reports: Reports, account: Account) -> Callable[..., Report]:
    """Asks for a report and builds it in the test's thread."""

    def build(plays: PlayFilter = TWO_DAYS, **changes: Any) -> Report:
        asked = reports.create(account, ReportRequest(msgspec.structs.replace(plays, **changes)))
        assert report_home.builder().step() == 0.0
        return reports.get(account, asked.id)

    return build


@pytest.mark.every_zone
def test_a_report_holds_the_lines_in_its_order(report_home: ReportHome, built: Callable[..., Report]) -> None:
    report_home.send(P2, P4, P1, P3)
    newest, oldest = built(), built(sort=1)
    assert report_home.text(newest) == text(P4, P3, P2, P1)
    assert report_home.text(oldest) == text(P1, P2, P3, P4)
    assert (newest.status, newest.file_rows, newest.error) == ("success", 4, None)


@pytest.mark.every_zone
def test_both_ends_are_included_by_whole_seconds(report_home: ReportHome, built: Callable[..., Report]) -> None:
    report_home.send(P1, P2, P3, P4)
    assert report_home.text(built(start_time="08:00:10", end_date="2026-10-01")) == text(P3, P2)
    assert report_home.text(built(start_date="2026-10-02", end_time="00:00:00")) == text(P4)


def test_players_and_medias_are_both_asked_for(report_home: ReportHome, built: Callable[..., Report]) -> None:
    report_home.send(P1, P2, P3, P4)
    assert report_home.text(built(media_id=(48,), sort=1)) == text(P1, P3)
    assert report_home.text(built(player_id=(4,), media_id=(51, 99))) == text(P4)
    assert report_home.text(built(player_id=tuple(range(1000)), sort=1)) == text(P1, P2, P3, P4)


def test_no_play_makes_an_empty_file(report_home: ReportHome, built: Callable[..., Report]) -> None:
    report_home.send(P1)
    report = built(start_date="2026-09-01", end_date="2026-09-30")
    assert (report.status, report.file_rows) == ("success", 0)
    assert report_home.text(report) == ""


@pytest.mark.every_zone
def test_plays_of_one_second_keep_the_order_of_arrival(report_home: ReportHome, built: Callable[..., Report]) -> None:
    plays = [P1 | {"media_id": number, "played_at": f"2026-10-01T08:00:00.{9 - number}"} for number in range(6)]
    report_home.send(*plays[:3])
    report_home.send(*plays[3:])
    assert report_home.text(built(sort=1)) == text(*plays)
    assert report_home.text(built()) == text(*plays[::-1])


@pytest.mark.every_zone
def test_repeats_count_once_as_last_received_and_can_move_out_of_the_interval(
    report_home: ReportHome, built: Callable[..., Report], clock: MovableClock
) -> None:
    report_home.send(P1 | {"id": "a"}, P2 | {"id": "b"}, P3 | {"id": "c"})
    report_home.event_store.flush()
    clock.advance(1)
    corrected = P1 | {"id": "a", "media_id": 7}
    report_home.send(corrected, P2 | {"id": "b", "played_at": "2026-10-01T07:00:00"}, P3 | {"id": "c"})
    assert report_home.text(built(start_time="08:00:00", sort=1)) == text(corrected, P3)


def test_only_the_account_itself_is_in_it(
    report_home: ReportHome, built: Callable[..., Report], other_account: Account
) -> None:
    report_home.send(P1)
    report_home.send(P2, account=other_account)
    assert report_home.text(built()) == text(P1)


class Watched(ReportRenderer):
    """Tells which days were rendered, and calls `then` after each."""

    seen: ClassVar[list[date]] = []
    then: ClassVar[Callable[[], object]] = lambda: None

    def render(self, plan: Plan, days: Sequence[Day], paths: Sequence[Path]) -> list[DayFile]:
        parts = super().render(plan, days, paths)
        Watched.seen.extend(day.day for day in days)
        Watched.then()
        return parts


@pytest.fixture
def watched() -> type[Watched]:
    Watched.seen, Watched.then = [], lambda: None
    return Watched


@pytest.mark.every_zone
def test_the_days_done_are_kept_when_a_worker_stops(
    report_home: ReportHome, reports: Reports, jobs: Jobs, account: Account, watched: type[Watched]
) -> None:
    report_home.send(P1, P4)
    report = reports.create(account, ReportRequest(TWO_DAYS))
    first = report_home.builder(renderer=watched)
    Watched.then = first._stopping.set
    first.step()
    job = jobs.find(JOB_KIND, str(report.id))
    assert job is not None
    assert (job.state, job.progress_done, job.progress_total) == ("ready", 1, 2)
    assert report_home.builder(renderer=watched).step() == 0.0
    assert report_home.text(reports.get(account, report.id)) == text(P4, P1)
    assert watched.seen == [date(2026, 10, 2), date(2026, 10, 1)]
    assert list((report_home.folder / "staging").iterdir()) == []


def test_a_damaged_part_is_made_again(
    report_home: ReportHome, reports: Reports, account: Account, watched: type[Watched]
) -> None:
    report_home.send(P1, P4)
    report = reports.create(account, ReportRequest(TWO_DAYS))
    first = report_home.builder(renderer=watched)
    Watched.then = first._stopping.set
    first.step()
    [part] = (report_home.folder / "staging").rglob("*.deflate")
    part.write_bytes(part.read_bytes()[:-1])
    assert report_home.builder(renderer=watched).step() == 0.0
    assert report_home.text(reports.get(account, report.id)) == text(P4, P1)


def test_a_dead_workers_job_is_taken_over_and_its_late_result_is_thrown_away(
    report_home: ReportHome,
    metadata: MetadataStore,
    reports: Reports,
    account: Account,
    clock: MovableClock,
    watched: type[Watched],
) -> None:
    report_home.send(P1)
    report = reports.create(account, ReportRequest(TWO_DAYS))
    slow = report_home.builder(renderer=watched, renew_seconds=60.0)
    other = report_home.builder()

    def taken_over() -> None:
        Watched.then = lambda: None
        clock.advance(61)
        other._jobs = Jobs(metadata, clock, "worker-2")
        other._reports = Reports(
            metadata,
            clock,
            jobs=other._jobs,
            owners=reports._owners,
            deliveries=reports._deliveries,
            links=reports._links,
            report_type=reports._report_type,
        )
        assert other.step() == 0.0

    Watched.then = taken_over
    assert slow.step() == 0.0
    done = reports.get(account, report.id)
    assert report_home.text(done) == text(P1)
    files = [path.name for path in (report_home.folder / "files").rglob("*.gz")]
    assert files == [done.file_name]


class Trouble(Faults):
    """Raises the given errors, one each time a point is reached, then nothing more."""

    def __init__(self, point: str, *errors: Exception) -> None:
        self.point = point
        self.errors = list(errors)

    def reach(self, point: str) -> None:
        if point == self.point and self.errors:
            raise self.errors.pop(0)


@pytest.mark.parametrize(
    ("point", "error"),
    [
        ("report.build", Unavailable("The metadata store does not answer")),
        ("files.write", OSError(errno.ENOSPC, "No space left on device")),
        ("files.write", StorageFull("no room")),
    ],
)
def test_trouble_that_passes_is_waited_out(
    report_home: ReportHome,
    reports: Reports,
    jobs: Jobs,
    account: Account,
    clock: MovableClock,
    point: str,
    error: Exception,
) -> None:
    report_home.send(P1)
    report = reports.create(account, ReportRequest(TWO_DAYS))
    builder = report_home.builder(Trouble(point, error))
    assert builder.step() == 0.0
    assert reports.get(account, report.id).status == "waiting"
    assert builder.step() is None
    assert list((report_home.folder / "files").rglob("*.gz*")) == []
    clock.advance(2)
    assert builder.step() == 0.0
    assert report_home.text(reports.get(account, report.id)) == text(P1)
    done = jobs.find(JOB_KIND, str(report.id))
    assert done is not None
    assert (done.state, done.error, done.attempts) == ("done", None, 2)


def test_trouble_that_does_not_pass_ends_after_an_hour(
    report_home: ReportHome, reports: Reports, account: Account, clock: MovableClock
) -> None:
    report = reports.create(account, ReportRequest(TWO_DAYS))
    builder = report_home.builder(Trouble("report.build", *[StorageFull("There is no room to write the report")] * 100))
    for _ in range(10):
        builder.step()
        clock.advance(450)
    failed = reports.get(account, report.id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.startswith("There is no room to write the report Free disk space")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LimitExceeded("The question took longer than 30 s (AIRTALLY_QUERY_SECONDS).", hint="Ask for less."),
         "The question took longer than 30 s (AIRTALLY_QUERY_SECONDS). Ask for less."),
        (ValueError("a bug with a secret in it"),
         "A fault in the server (ValueError); its log has the details under this report's number."),
    ],
)  # fmt: skip
def test_what_cannot_be_built_fails_with_a_reason_for_people(
    report_home: ReportHome,
    reports: Reports,
    deliveries: Deliveries,
    jobs: Jobs,
    account: Account,
    error: Exception,
    reason: str,
) -> None:
    report = reports.create(account, ReportRequest(TWO_DAYS, "http://hooks.example/"))
    assert report_home.builder(Trouble("report.build", error)).step() == 0.0
    failed = reports.get(account, report.id)
    assert (failed.status, failed.error, failed.file_name) == ("failed", reason, None)
    job = jobs.find(JOB_KIND, str(report.id))
    assert job is not None
    assert (job.state, job.error) == ("failed", reason)
    [delivery] = deliveries.latest()
    assert list(msgspec.json.decode(delivery.payload)) == ["id", "status", "error", "filter"]
    assert report_home.builder().step() is None


def test_a_machine_whose_rows_do_not_come_fails_the_report_after_five_minutes(
    report_home: ReportHome, reports: Reports, account: Account, clock: MovableClock
) -> None:
    def behind(_moment: int, _stop: threading.Event) -> None:
        raise Unavailable("Rows received by the writer on far-away have not reached the lake in time")

    report = reports.create(account, ReportRequest(TWO_DAYS))
    builder = report_home.builder(wait_until_visible=behind)
    builder.step()
    assert reports.get(account, report.id).status == "waiting"
    clock.advance(300)
    builder.step()
    failed = reports.get(account, report.id)
    assert (failed.status, failed.error) == (
        "failed",
        "Rows received by the writer on far-away have not reached the lake in time",
    )


def test_a_report_whose_workers_die_again_and_again_is_given_up(
    report_home: ReportHome, reports: Reports, jobs: Jobs, account: Account, clock: MovableClock
) -> None:
    report = reports.create(account, ReportRequest(TWO_DAYS))
    for _ in range(50):
        assert jobs.claim([JOB_KIND]) is not None
        clock.advance(61)
    assert report_home.builder().step() == 0.0
    assert reports.get(account, report.id).error == "Building this report was begun 50 times and never ended"


def test_files_go_when_their_life_is_over_and_the_report_stays(
    report_home: ReportHome, reports: Reports, account: Account, clock: MovableClock, built: Callable[..., Report]
) -> None:
    report_home.send(P1)
    report = built()
    builder = report_home.builder()
    clock.advance(90 * 86400 - 1)
    assert builder.expire_files() is None
    assert report_home.text(report) == text(P1)
    clock.advance(1)
    assert builder.expire_files() == 0.0
    assert builder.expire_files() is None
    after = reports.get(account, report.id)
    assert (after.status, after.file_name, after.has_file(clock.now_us())) == ("success", report.file_name, False)
    assert list((report_home.folder / "files").rglob("*.gz")) == []


def test_parts_of_reports_that_ended_elsewhere_are_removed(
    report_home: ReportHome, reports: Reports, account: Account, built: Callable[..., Report]
) -> None:
    report_home.send(P1)
    done, waiting = built(), reports.create(account, ReportRequest(TWO_DAYS))
    for report in (done, waiting):
        (report_home.folder / "staging" / f"report-{report.id}").mkdir(parents=True)
    report_home.builder().expire_files()
    assert [path.name for path in (report_home.folder / "staging").iterdir()] == [f"report-{waiting.id}"]


def test_started_builders_build_what_is_asked_for(report_home: ReportHome, reports: Reports, account: Account) -> None:
    report_home.send(P1)
    builder = report_home.builder()
    reports.on_created.append(builder.wake)
    builder.start()
    asked = [reports.create(account, ReportRequest(TWO_DAYS)) for _ in range(5)]
    deadline = time.monotonic() + 120
    while any(reports.get(account, each.id).status == "waiting" for each in asked):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert {report_home.text(reports.get(account, each.id)) for each in asked} == {text(P1)}
