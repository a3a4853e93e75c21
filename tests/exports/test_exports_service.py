"""Exports of an account: created, found, listed, cancelled, ended together with their job."""

from __future__ import annotations

from pathlib import Path

import pytest

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.exports.expiry import ExportExpiry
from airtally.exports.export import KINDS, SMALL_KIND, Export, ExportLimits, ExportPart, ExportState
from airtally.exports.lanes import LanePoint
from airtally.exports.ledger import ExportLedger, NotedPart
from airtally.exports.service import Exports, TooManyExports
from airtally.exports.spec import AskedRows, ExportFormat, ExportSpec
from airtally.exports.wanted import WantedRows
from airtally.files.store import FileStore
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job, Jobs
from airtally.kit.clock import MovableClock
from airtally.kit.errors import NotFound, Unprocessable
from airtally.streams import PLAYLOGS

ROWS = ExportSpec(rows=AskedRows("playlogs"))
DAY_S = 86_400


class AllColumns:
    """A planner for these tests: whatever is asked for, all rows of the stream."""

    def plan(self, spec: ExportSpec, account: Account, as_of_us: int) -> WantedRows:
        return WantedRows(PLAYLOGS, account.slug, tuple(PLAYLOGS.row_schema.names))


@pytest.fixture
def jobs(metadata: MetadataStore, clock: MovableClock) -> Jobs:
    return Jobs(metadata, clock, "worker-1")


@pytest.fixture
def exports(metadata: MetadataStore, clock: MovableClock, jobs: Jobs) -> Exports:
    limits = ExportLimits(waiting=3, kept_bytes=1000)
    return Exports(metadata, clock, jobs=jobs, planner=AllColumns(), count_rows=lambda _: 10, limits=limits)


@pytest.fixture
def ledger(metadata: MetadataStore, clock: MovableClock, jobs: Jobs, exports: Exports) -> ExportLedger:
    return ExportLedger(metadata, clock, jobs, exports.endings, exports.limits)


@pytest.fixture
def expiry(metadata: MetadataStore, clock: MovableClock, tmp_path: Path) -> ExportExpiry:
    return ExportExpiry(metadata, FileStore.open(str(tmp_path / "files")), clock, tmp_path / "staging")


def claimed(jobs: Jobs) -> Job:
    job = jobs.claim(KINDS)
    assert job is not None
    return job


def part(place: int = 0, rows: int = 4, size: int = 90, lane: int = 0) -> NotedPart:
    return NotedPart(lane, place, f"exports/acme/{lane}-{place}", rows, size, "ab" * 32, LanePoint(place + 1))


def made(exports: Exports, ledger: ExportLedger, jobs: Jobs, account: Account, size: int = 90) -> Export:
    """A finished export of one part."""
    export = exports.create(account, ROWS, requested_by="key:1")
    job = claimed(jobs)
    ledger.note_pinned(job, export, None, 77)
    ledger.note_parts(job, export, [part(size=size)], 10, 10)
    ledger.succeed(export, job)
    return exports.get(account, export.id)


def test_an_export_is_stored_with_its_job(exports: Exports, ledger: ExportLedger, jobs: Jobs, account: Account) -> None:
    woken = []
    exports.on_created.append(lambda: woken.append(1))
    export = exports.create(account, ROWS, requested_by="key:1")
    assert (export.state, export.spec, export.progress, export.error) == ("queued", ROWS, 0.0, None)
    assert woken == [1]
    job = claimed(jobs)
    assert (job.kind, job.subject, job.account_id) == ("export", str(export.id), account.id)
    assert exports.get(account, export.id).state is ExportState.RUNNING
    assert ledger.of_job(job) == (account, exports.get(account, export.id))


def test_the_same_key_gives_the_same_export(exports: Exports, account: Account, other_account: Account) -> None:
    first = exports.create(account, ROWS, requested_by="schedule:1", key="slot-9")
    again = exports.create(
        account, ExportSpec(rows=AskedRows("medias"), format=ExportFormat.PARQUET), requested_by="x", key="slot-9"
    )
    assert again == first
    assert exports.create(other_account, ROWS, requested_by="x", key="slot-9").id != first.id
    assert exports.create(account, ROWS, requested_by="x").id != exports.create(account, ROWS, requested_by="x").id


def test_a_key_finds_its_export_where_there_is_no_room_for_another(exports: Exports, account: Account) -> None:
    first = exports.create(account, ROWS, requested_by="x", key="slot-9")
    for _ in range(2):
        exports.create(account, ROWS, requested_by="x")
    with pytest.raises(TooManyExports, match="3 exports"):
        exports.create(account, ROWS, requested_by="x", key="slot-10")
    assert exports.create(account, ROWS, requested_by="x", key="slot-9") == first
    assert exports.by_key(account, "slot-10") is None
    assert len(exports.page(account)) == 3


def test_a_spec_that_contradicts_itself_is_refused(exports: Exports, account: Account) -> None:
    for spec in (
        ExportSpec(),
        ExportSpec(rows=AskedRows("playlogs"), query={"stream": "playlogs"}),
        ExportSpec(rows=AskedRows("playlogs"), part_rows=0),
        ExportSpec(rows=AskedRows("playlogs"), part_bytes=1),
    ):
        with pytest.raises(Unprocessable):
            exports.create(account, spec, requested_by="x")
    assert exports.page(account) == []


def test_a_listing_has_the_newest_first_in_pages_and_by_state(
    exports: Exports, ledger: ExportLedger, jobs: Jobs, account: Account, other_account: Account
) -> None:
    done = made(exports, ledger, jobs, account)
    queued = [exports.create(account, ROWS, requested_by="x") for _ in range(2)]
    ids = [queued[1].id, queued[0].id, done.id]
    assert [each.id for each in exports.page(account)] == ids
    assert [each.id for each in exports.page(account, limit=2)] == ids[:2]
    assert [each.id for each in exports.page(account, after=ids[1])] == ids[2:]
    assert [each.id for each in exports.page(account, states=[ExportState.DONE])] == [done.id]
    claimed(jobs)
    assert [each.id for each in exports.page(account, states=[ExportState.RUNNING])] == [queued[0].id]
    assert exports.page(other_account) == []


def test_parts_are_listed_once_all_are_there(
    exports: Exports, ledger: ExportLedger, jobs: Jobs, account: Account, other_account: Account
) -> None:
    export = exports.create(account, ROWS, requested_by="x")
    job = claimed(jobs)
    ledger.note_parts(job, export, [part(rows=3, size=10, lane=1)], 5, 20)
    under_way = exports.get(account, export.id)
    assert (under_way.progress, under_way.parts, under_way.rows, under_way.bytes) == (0.25, 1, 3, 10)
    assert exports.parts(under_way) == []
    with pytest.raises(NotFound):
        exports.part(account, export.id, 1)
    ledger.note_parts(job, export, [part(1, lane=1), part()], 20, 20)
    ledger.succeed(export, job)
    done = exports.get(account, export.id)
    assert (done.state, done.progress, done.parts, done.rows, done.bytes) == ("done", 1.0, 3, 11, 190)
    assert [(each.number, each.stored_name[-3:]) for each in exports.parts(done)] == [
        (1, "0-0"),
        (2, "1-0"),
        (3, "1-1"),
    ]
    assert [each.number for each in exports.parts(done, after=1, limit=1)] == [2]
    third = ExportPart(export.id, 3, "exports/acme/1-1", 4, 90, "ab" * 32)
    assert exports.part(account, export.id, 3) == exports.part(None, export.id, 3) == (done, third)
    for account_asked, number in ((other_account, 1), (account, 4), (account, 0), (account, -1)):
        with pytest.raises(NotFound):
            exports.part(account_asked, export.id, number)


def test_another_accounts_export_is_not_there(exports: Exports, account: Account, other_account: Account) -> None:
    export = exports.create(account, ROWS, requested_by="x")
    for call in (exports.get, exports.cancel):
        with pytest.raises(NotFound):
            call(other_account, export.id)
    assert exports.get(account, export.id).state is ExportState.QUEUED


def test_a_cancelled_export_is_taken_from_its_worker(
    exports: Exports, ledger: ExportLedger, jobs: Jobs, account: Account
) -> None:
    export = exports.create(account, ROWS, requested_by="x")
    job = claimed(jobs)
    ended: list[ExportState] = []
    exports.endings.after.append(lambda each: ended.append(each.state))
    assert exports.cancel(account, export.id).state is ExportState.CANCELLED
    assert exports.cancel(account, export.id).state is ExportState.CANCELLED
    assert ended == ["cancelled"]
    for late in (
        lambda: ledger.note_parts(job, export, [part()], 1, 1),
        lambda: ledger.succeed(export, job),
        lambda: ledger.fail(export, job, "late"),
    ):
        with pytest.raises(LeaseLost):
            late()
    assert exports.get(account, export.id).state is ExportState.CANCELLED


def test_files_are_given_out_until_they_expire_or_are_deleted(
    exports: Exports, expiry: ExportExpiry, ledger: ExportLedger, jobs: Jobs, account: Account, clock: MovableClock
) -> None:
    kept, dropped = (made(exports, ledger, jobs, account) for _ in range(2))
    assert exports.cancel(account, dropped.id).state is ExportState.EXPIRED
    assert exports.parts(exports.get(account, dropped.id)) == []
    clock.advance(7 * DAY_S - 1)
    assert exports.get(account, kept.id).state is ExportState.DONE
    assert [each.id for _, each in expiry.due()] == [dropped.id]
    clock.advance(1)
    assert exports.get(account, kept.id).state is ExportState.EXPIRED
    assert exports.page(account, states=[ExportState.DONE]) == []
    assert expiry.step() == 0.0
    assert expiry.step() is None
    clock.advance(-DAY_S)
    assert {each.state for each in exports.page(account)} == {ExportState.EXPIRED}


def test_an_expired_export_is_forgotten_after_90_days(
    exports: Exports, expiry: ExportExpiry, ledger: ExportLedger, jobs: Jobs, account: Account, clock: MovableClock
) -> None:
    export = made(exports, ledger, jobs, account)
    clock.advance(7 * DAY_S)
    expiry.step()
    clock.advance(90 * DAY_S - 1)
    assert expiry.step() is None
    assert exports.get(account, export.id).state is ExportState.EXPIRED
    clock.advance(1)
    assert expiry.step() == 0.0
    assert exports.page(account) == []
    assert jobs.find(SMALL_KIND, str(export.id)) is None


def test_the_bytes_of_an_accounts_files_are_bounded(
    exports: Exports, expiry: ExportExpiry, ledger: ExportLedger, jobs: Jobs, account: Account, clock: MovableClock
) -> None:
    large = made(exports, ledger, jobs, account, size=1000)
    with pytest.raises(TooManyExports, match="1000 bytes"):
        exports.create(account, ROWS, requested_by="x")
    exports.cancel(account, large.id)
    clock.advance(181)
    expiry.step()
    assert exports.create(account, ROWS, requested_by="x").state is ExportState.QUEUED


def test_a_failure_says_why_and_a_delay_too(
    exports: Exports, ledger: ExportLedger, jobs: Jobs, account: Account, clock: MovableClock
) -> None:
    export = exports.create(account, ROWS, requested_by="x")
    jobs.put_off(claimed(jobs), 5, "The disk is full")
    delayed = exports.get(account, export.id)
    assert (delayed.state, delayed.error) == ("queued", "The disk is full")
    clock.advance(5)
    ledger.fail(export, claimed(jobs), "There is no such column")
    failed = exports.get(account, export.id)
    assert (failed.state, failed.error) == ("failed", "There is no such column")


def test_what_follows_from_an_end_is_noted_in_its_transaction(
    exports: Exports, ledger: ExportLedger, jobs: Jobs, account: Account
) -> None:
    export = exports.create(account, ROWS, requested_by="x")
    job = claimed(jobs)

    def refuse(_connection: object, _export: Export) -> None:
        raise RuntimeError("no room for the delivery")

    exports.endings.within.append(refuse)
    with pytest.raises(RuntimeError):
        ledger.succeed(export, job)
    assert exports.get(account, export.id).state is ExportState.RUNNING
    exports.endings.within.clear()
    seen: list[tuple[ExportState, int]] = []
    exports.endings.within.append(lambda _, ended: seen.append((ended.state, ended.parts)))
    ledger.succeed(export, job)
    assert seen == [("done", 0)]
