"""Quarantined rows sent again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airtally.accounts.accounts import Account
from airtally.ingest.admission import Admission
from airtally.ingest.businesses import Businesses
from airtally.ingest.decode import read_rows
from airtally.ingest.rejected import RejectedRow
from airtally.ingest.resend import Resent
from airtally.kit.errors import Conflict, NotFound
from airtally.query.question import Metric, Question
from airtally.runtime import open_services
from airtally.services import Role, Services
from airtally.settings import Settings
from airtally.streams import PLAYLOGS
from fixtures.migrated import migrated

OVER_LINES = b"""[
  {"player_id": 2,
   "media_id": 48,
   "played_at": "2026-10-01T08:00:00",
   "colour": "red"},
  {"player_id": 3, "media_id": 48,
   "played_at": "2026-10-01T08:00:10", "ip": "nowhere"}
]"""


def test_a_row_written_over_several_lines_is_sent_again_as_one_row(tmp_path: Path) -> None:
    services = open_services(migrated(Settings(home=tmp_path)), role=Role.NONE)
    try:
        account = services.access.accounts.create("Acme", "acme")
        refused = read_rows(PLAYLOGS, OVER_LINES, "application/json").errors
        services.intake.quarantine.keep(account, "playlogs", refused, source="http")
        first = services.intake.quarantine.entries(account)[0]
        again = services.intake.resend.run(account, first.id)
        assert (again.accepted, again.rejected) == (0, 2)
        kept = services.intake.quarantine.entries(account)[0]
        rows = list(services.intake.quarantine.rows(account, kept.id))
        assert [(row.field, row.error) for row in rows] == [(each.field, each.error) for each in refused]
    finally:
        services.close()


def lines(*rows: dict[str, object]) -> bytes:
    return b"".join(
        json.dumps({"player_id": 1, "played_at": "2026-10-01T08:00:00"} | row).encode() + b"\n" for row in rows
    )


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Services]]:
    """`opened(**settings)`: a process without buffer on the test's home."""
    with ExitStack() as closing:

        def start(**changes: Any) -> Services:
            services = open_services(migrated(Settings(home=tmp_path).with_(**changes)), role=Role.NONE)
            closing.callback(services.close)
            return services

        yield start


def quarantined(services: Services, account: Account, body: bytes) -> int:
    errors = read_rows(PLAYLOGS, body, "application/x-ndjson").errors
    services.intake.quarantine.keep(account, "playlogs", errors, source="http")
    return services.intake.quarantine.entries(account)[0].id


def count(services: Services, account: Account) -> int:
    return int(services.queries.answer(Question(PLAYLOGS, account.slug, (Metric("n"),))).table["n"][0].as_py())


def test_after_the_cause_is_mended_rows_are_taken_once(opened: Callable[..., Services]) -> None:
    strict = opened(retain_days={"playlogs": 1})
    account = strict.access.accounts.create("Acme", "acme")
    old = read_rows(
        PLAYLOGS, lines({"media_id": 1}, {"media_id": 2, "played_at": "2001-01-01T00:00:00"}), "application/x-ndjson"
    )
    refused = (
        Admission(
            strict.access.owners,
            Businesses(strict.store),
            strict.access.declared,
            strict.settings.retention,
            strict.clock,
        )
        .check(PLAYLOGS, account, old)
        .errors
    )
    assert [error.error for error in refused] == ["older than retention"] * 2
    strict.intake.quarantine.keep(account, "playlogs", refused, source="http")
    entry = strict.intake.quarantine.entries(account)[0].id
    services = opened(retain_days={"playlogs": 3000})
    assert services.intake.resend.run(account, entry) == Resent(1, 1)
    assert count(services, account) == 1
    assert services.intake.quarantine.entry(account, entry).resent_at is not None
    (left, _) = services.intake.quarantine.entries(account)
    assert (left.rows, left.source) == (1, f"resend of {entry}")
    with pytest.raises(Conflict):
        services.intake.resend.run(account, entry)
    assert count(services, account) == 1


def _mended(services: Services, account: Account, entry: int, monkeypatch: pytest.MonkeyPatch) -> Resent:
    """Send an entry again as if the stream knew its misspelled column by now."""
    kept = services.intake.quarantine.rows

    def renamed(owner: Account, entry_id: int) -> Iterator[RejectedRow]:
        for row in kept(owner, entry_id):
            yield msgspec.structs.replace(row, raw=(row.raw or "").replace("medium_id", "media_id"))

    with monkeypatch.context() as patched:
        patched.setattr(services.intake.quarantine, "rows", renamed)
        return services.intake.resend.run(account, entry)


def test_a_crash_after_the_commit_counts_no_row_twice(
    opened: Callable[..., Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    services = opened()
    account = services.access.accounts.create("Acme", "acme")
    entry = quarantined(services, account, lines({"medium_id": 1}, {"medium_id": 2}, {"nothing": 0}))
    with monkeypatch.context() as patched:
        patched.setattr(services.intake.quarantine, "mark_resent", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            _mended(services, account, entry, monkeypatch)
    assert count(services, account) == 2
    assert _mended(services, account, entry, monkeypatch) == Resent(2, 0), "the third is an entry of its own by now"
    assert count(services, account) == 2
    assert len(services.intake.quarantine.entries(account)) == 2


def test_a_dropped_entrys_number_is_not_given_again(
    opened: Callable[..., Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake remembers numbers that were sent: rows of a second entry with the same one would be lost."""
    services = opened()
    account = services.access.accounts.create("Acme", "acme")
    for rows in (1, 2):
        entry = quarantined(services, account, lines({"medium_id": 1}))
        assert _mended(services, account, entry, monkeypatch) == Resent(1, 0)
        services.intake.quarantine.drop(account, entry)
        assert count(services, account) == rows


def test_another_accounts_entry_is_not_there(opened: Callable[..., Services]) -> None:
    services = opened()
    acme, rival = services.access.accounts.create("Acme", "acme"), services.access.accounts.create("Rival", "rival")
    entry = quarantined(services, acme, lines({"medium_id": 1}))
    quarantine = services.intake.quarantine
    for call in (quarantine.entry, quarantine.drop, quarantine.mark_resent, services.intake.resend.run):
        with pytest.raises(NotFound):
            call(rival, entry)
    with pytest.raises(NotFound):
        list(quarantine.rows(rival, entry))
    assert quarantine.entries(rival) == []
    assert quarantine.entry(acme, entry).resent_at is None
