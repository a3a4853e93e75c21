"""Makes what a schedule asks for: an export, or a 4YouSee report."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.exports.service import Exports
from airtally.kit.errors import TooManyRequests, Unavailable, Unprocessable
from airtally.kit.time import SECOND_US, to_datetime
from airtally.query.ranges import RangeClock, parse_range
from airtally.reports.report import Report
from airtally.reports.requests import PlayFilter, ReportRequest, check_interval
from airtally.reports.service import Reports
from airtally.schedules.schedule import Schedule, ScheduleRun
from airtally.schedules.wanted import AskedPlays, Product

#: Called with the values of the run that name what was begun, in the transaction that ends the run's job.
Note = Callable[[Connection, Mapping[str, int]], None]


class Products:
    """Thread-safe: it has no state of its own."""

    def __init__(self, store: MetadataStore, exports: Exports, reports: Reports) -> None:
        self._store = store
        self._exports = exports
        self._reports = reports

    def check(self, account: Account, product: Product, as_of_us: int) -> None:
        """Raises Unprocessable and NotFound for what cannot be made."""
        product.check()
        if product.export is not None:
            self._exports.check(account, product.export, as_of_us)
        if product.report is not None:
            plays_at(product.report, account, as_of_us)

    def begin(self, account: Account, schedule: Schedule, run: ScheduleRun, note: Note) -> None:
        """Begin what the run makes, once however often it is called. Raises Unavailable where too much is under way."""
        try:
            if schedule.product.export is not None:
                self._begin_export(account, schedule, run, note)
            elif schedule.product.report is not None:
                plays = plays_at(schedule.product.report, account, run.as_of)
                self._begin_report(account, plays, note)
        except TooManyRequests as full:
            raise Unavailable(full.message, hint=full.hint) from full

    def _begin_export(self, account: Account, schedule: Schedule, run: ScheduleRun, note: Note) -> None:
        """The key makes a second call find the export of the first, which may have been cut off before `note`."""
        assert schedule.product.export is not None  # noqa: S101 (the caller has looked)
        export = self._exports.create(
            account,
            schedule.product.export,
            requested_by=f"schedule {schedule.id}",
            key=f"schedule {schedule.id}, run {run.id}",
            as_of_us=run.as_of,
        )
        with self._store.begin() as connection:
            note(connection, {"export_id": export.id})

    def _begin_report(self, account: Account, plays: PlayFilter, note: Note) -> None:
        def noted(connection: Connection, report: Report) -> None:
            note(connection, {"report_id": report.id})

        self._reports.create(account, ReportRequest(plays), noted)


def plays_at(asked: AskedPlays, account: Account, as_of_us: int) -> PlayFilter:
    """The filter of a report whose range refers to a moment, in the account's zone. Raises Unprocessable."""
    if asked.sort not in {-1, 1}:
        raise Unprocessable(f"`sort` of a report is 1 or -1, not {asked.sort}")
    try:
        found = parse_range(asked.range, RangeClock(as_of_us, account.zone, local=True))
    except (ValueError, OverflowError) as error:
        raise Unprocessable(f"The range of the report cannot be used: {error}") from None
    start, last = to_datetime(found.start_us), to_datetime(found.end_us - SECOND_US)
    plays = PlayFilter(
        start_date=start.date().isoformat(),
        start_time=start.time().isoformat(),
        end_date=last.date().isoformat(),
        end_time=last.time().isoformat(),
        media_id=asked.media_id,
        player_id=asked.player_id,
        sort=asked.sort,
    )
    check_interval(plays)
    return plays
