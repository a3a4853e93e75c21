"""A report as its row has it, and the link to its file."""

from __future__ import annotations

from dataclasses import asdict, replace

import msgspec
import pytest
from sqlalchemy import select

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, reports
from airtally.kit.signing import LinkSigner
from airtally.reports.report import Report, ReportLinks, ReportState
from airtally.reports.requests import PlayFilter, ReportRequest
from airtally.reports.service import Reports

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def report(reports: Reports, account: Account, plays: PlayFilter) -> Report:
    return reports.create(account, ReportRequest(plays))


@on_sqlite
def test_a_row_is_read_by_name_whatever_else_it_has(metadata: MetadataStore, report: Report, account: Account) -> None:
    """In another order of the columns too, and beside those of another table with an id of its own."""
    columns = [*accounts.c, *reversed(reports.c)]
    query = select(*columns).join(reports, reports.c.account_id == accounts.c.id)
    with metadata.read() as connection:
        found = Report.from_row(connection.execute(query).one())
    assert found == report
    assert isinstance(found.filter, PlayFilter)
    assert found.status is ReportState.WAITING
    assert set(asdict(found)) == set(reports.c.keys())


@on_sqlite
@pytest.mark.parametrize(
    ("expires_at", "deleted_at", "has_file"),
    [(None, None, False), (100, None, True), (99, None, False), (100, 50, False)],
)
def test_a_file_is_there_until_it_expires_or_is_deleted(
    report: Report, expires_at: int | None, deleted_at: int | None, has_file: bool
) -> None:
    assert replace(report, file_expires_at=expires_at, file_deleted_at=deleted_at).has_file(99) is has_file


def test_a_link_is_valid_for_its_own_file_and_account_alone(links: ReportLinks) -> None:
    url = links.url("acme", "7-abc.gz")
    address, _, signature = url.partition("?playlogs-reports=")
    assert address == "https://reports.example/acme/7-abc.gz"
    assert links.is_valid("acme", "7-abc.gz", signature)
    assert not links.is_valid("acme", "8-abc.gz", signature)
    assert not links.is_valid("rival", "7-abc.gz", signature)
    assert not links.is_valid("acme", "7-abc.gz", "")
    assert not links.is_valid("acme", "7-abc.gz", signature[:-1])


def test_a_link_of_another_secret_is_none(links: ReportLinks) -> None:
    other = ReportLinks("https://reports.example/", LinkSigner(b"another secret key"))
    url = other.url("acme", "7-abc.gz")
    assert url.startswith("https://reports.example/acme/"), "one slash, whatever the address ends in"
    assert not links.is_valid("acme", "7-abc.gz", url.partition("=")[2])


@on_sqlite
def test_a_state_is_stored_as_its_word(report: Report) -> None:
    assert msgspec.json.encode(report.status) == b'"waiting"'
