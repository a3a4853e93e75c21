"""Reports of an account: asked for, found, listed, ended together with their job and delivery."""

from __future__ import annotations

import msgspec
import pytest

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job, Jobs, TooManyJobs
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Forbidden, NotFound
from airtally.kit.paging import Page, SortKey
from airtally.reports.outbox import Deliveries
from airtally.reports.report import ReportState
from airtally.reports.requests import PlayFilter, ReportRequest
from airtally.reports.service import JOB_KIND, ReportFile, Reports

PAGE = Page(1, 10)
DAY_S = 86_400


@pytest.fixture
def wanted(plays: PlayFilter) -> ReportRequest:
    return ReportRequest(plays)


def claimed(jobs: Jobs) -> Job:
    job = jobs.claim([JOB_KIND])
    assert job is not None
    return job


def file(clock: MovableClock, name: str = "7-abc.gz") -> ReportFile:
    return ReportFile(name, 4, 90, "ab" * 32, clock.now_us() + DAY_S * 1_000_000, clock.now_us())


def ended(reports: Reports, jobs: Jobs, clock: MovableClock, name: str = "7-abc.gz"):
    """A successful report, with its account."""
    job = claimed(jobs)
    account, report = reports.of_job(job)
    reports.succeed(account, report, job, file(clock, name))
    return account, reports.get(account, report.id)


def test_a_report_is_one_row_with_its_job_and_its_owner(
    reports: Reports, jobs: Jobs, account: Account, other_account: Account, wanted: ReportRequest
) -> None:
    report = reports.create(account, wanted)
    job = claimed(jobs)
    assert (job.subject, job.account_id) == (str(report.id), account.id)
    assert (report.status, report.created_at) == ("waiting", report.updated_at)
    assert reports.page(account, PAGE) == ([report], 1)
    assert reports.page(other_account, PAGE) == ([], 0)
    assert reports.of_job(job) == (account, report)


def test_a_report_that_there_is_no_room_for_leaves_nothing(
    reports: Reports, metadata: MetadataStore, clock: MovableClock, account: Account, wanted: ReportRequest
) -> None:
    """Its job is refused in the same transaction."""
    reports._jobs = Jobs(metadata, clock, "worker-1", most_waiting=1)
    woken = []
    reports.on_created.append(lambda: woken.append(1))
    report = reports.create(account, wanted)
    with pytest.raises(TooManyJobs):
        reports.create(account, wanted)
    assert reports.page(account, PAGE) == ([report], 1)
    assert woken == [1]


def test_another_accounts_report_is_forbidden_and_one_that_never_was_is_not_found(
    reports: Reports, account: Account, other_account: Account, wanted: ReportRequest
) -> None:
    report = reports.create(account, wanted)
    with pytest.raises(Forbidden, match=f"{report.id} does not belong"):
        reports.get(other_account, report.id)
    with pytest.raises(NotFound):
        reports.get(account, report.id + 1)


def test_pages_are_sorted_with_ties_by_id_and_cut_to_states(
    reports: Reports, jobs: Jobs, account: Account, clock: MovableClock, wanted: ReportRequest
) -> None:
    made = [reports.create(account, wanted).id for _ in range(3)]
    clock.advance(1)
    made.append(reports.create(account, wanted).id)
    done = ended(reports, jobs, clock)[1].id

    def ids(page: Page = PAGE, *sort: SortKey, **more) -> list[int]:
        return [report.id for report in reports.page(account, page, sort, **more)[0]]

    assert ids() == made
    assert ids(PAGE, SortKey("created_at", descending=True)) == [made[3], *made[:3]]
    assert ids(Page(2, 3)) == made[3:]
    assert ids(statuses=[ReportState.SUCCESS]) == [done]
    assert reports.page(account, Page(1, 1), statuses=[ReportState.WAITING])[1] == 3


def test_a_success_ends_report_and_job_and_adds_the_notice(
    reports: Reports,
    jobs: Jobs,
    deliveries: Deliveries,
    account: Account,
    clock: MovableClock,
    request_with_webhook: ReportRequest,
) -> None:
    told = []
    reports.on_notice.append(lambda: told.append(1))
    waiting = reports.create(account, request_with_webhook)
    assert reports.url(account, waiting) is None
    clock.advance(1)
    _, report = ended(reports, jobs, clock)
    assert (report.status, report.file_rows, report.file_bytes, report.error) == ("success", 4, 90, None)
    assert report.updated_at == waiting.updated_at + 1_000_000
    assert jobs.find(JOB_KIND, str(report.id)).state == "done"  # type: ignore[union-attr]
    (delivery,) = deliveries.latest()
    assert msgspec.json.decode(delivery.payload)["url"] == reports.url(account, report)
    assert told == [1]


def test_a_failure_is_told_with_its_reason_and_without_a_file(
    reports: Reports, jobs: Jobs, account: Account, wanted: ReportRequest
) -> None:
    report = reports.create(account, wanted)
    reports.fail(account, report, claimed(jobs), "too many rows")
    failed = reports.get(account, report.id)
    assert (failed.status, failed.error, failed.file_name) == ("failed", "too many rows", None)
    assert not reports.is_waiting(report.id)


def test_who_lost_the_lease_ends_nothing(
    reports: Reports, jobs: Jobs, account: Account, clock: MovableClock, wanted: ReportRequest
) -> None:
    report = reports.create(account, wanted)
    lost = claimed(jobs)
    clock.advance(61)
    claimed(jobs)
    with pytest.raises(LeaseLost):
        reports.succeed(account, report, lost, file(clock))
    with pytest.raises(LeaseLost):
        reports.fail(account, report, lost, "late")
    assert reports.is_waiting(report.id)


def test_a_link_finds_its_report_until_the_file_expires(
    reports: Reports, jobs: Jobs, account: Account, clock: MovableClock, wanted: ReportRequest
) -> None:
    reports.create(account, wanted)
    account, report = ended(reports, jobs, clock)
    signature = str(reports.url(account, report)).partition("=")[2]
    assert reports.by_link("acme", "7-abc.gz", signature) == (account, report)
    for slug, name, signed in (
        ("acme", "7-abc.gz", "x"),
        ("rival", "7-abc.gz", signature),
        ("acme", "8.gz", signature),
    ):
        with pytest.raises(NotFound):
            reports.by_link(slug, name, signed)
    assert reports.expired() == []
    clock.advance(DAY_S)
    with pytest.raises(NotFound):
        reports.by_link("acme", "7-abc.gz", signature)
    assert reports.expired() == [("acme", report)]


def test_a_deleted_file_is_no_longer_expired_and_the_report_a_success(
    reports: Reports, jobs: Jobs, account: Account, clock: MovableClock, wanted: ReportRequest
) -> None:
    for _ in range(2):
        reports.create(account, wanted)
        ended(reports, jobs, clock)
    clock.advance(DAY_S)
    assert len(reports.expired(limit=1)) == 1
    first, second = (report for _, report in reports.expired())
    reports.note_deleted(first)
    assert [report.id for _, report in reports.expired()] == [second.id]
    assert reports.get(account, first.id).status == "success"


def test_progress_is_told_in_words(
    reports: Reports, jobs: Jobs, account: Account, clock: MovableClock, wanted: ReportRequest
) -> None:
    report = reports.create(account, wanted)
    assert reports.progress(report) == "waiting"
    job = claimed(jobs)
    jobs.progress(job, 3, 10)
    assert reports.progress(report) == "3 of 10 rows read"
    reports.fail(account, report, job, "no")
    assert reports.progress(reports.get(account, report.id)) == "failed"
