"""An account is told that an export has ended: once, with what ended it, and only of those that a caller asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from airtally.database.tables import messages as message_table
from airtally.exports.export import Export
from airtally.exports.spec import AskedRows, ExportSpec
from airtally.webhooks.export_notices import ExportNotices
from airtally.webhooks.messages import Messages
from fixtures.exports import ExportHome, export_home

__all__ = ["export_home"]

PLAYS = ExportSpec(rows=AskedRows("playlogs"))


@pytest.fixture
def home(export_home: Callable[..., ExportHome], messages: Messages) -> ExportHome:
    found = export_home()
    found.exports.endings.within.append(ExportNotices(messages).note)
    return found


def told(home: ExportHome) -> list[tuple[str, dict[str, Any]]]:
    query = select(message_table.c.event_type, message_table.c.payload).order_by(message_table.c.id)
    with home.metadata.read() as connection:
        return [(row.event_type, json.loads(row.payload)["data"]["export"]) for row in connection.execute(query)]


def test_of_one_that_is_done(home: ExportHome) -> None:
    export = home.made(PLAYS)
    [(event_type, about)] = told(home)
    assert event_type == "export.done"
    assert (about["id"], about["state"], about["rows"], about["parts"]) == (export.id, "done", 0, 1)
    assert about["expires_at"] == "2026-11-09T09:15:00+00:00"
    assert (about["error"], about["requested_by"]) == (None, "key:1")


def test_of_one_that_failed(home: ExportHome) -> None:
    export = home.create(PLAYS)
    [job] = home.jobs.latest(home.account.id)
    taken = home.jobs.take(job.kind, job.subject)
    assert taken is not None
    home.ledger.fail(export, taken, "the disk is full")
    [(event_type, about)] = told(home)
    assert (event_type, about["state"], about["error"]) == ("export.failed", "failed", "the disk is full")


def test_of_none_that_was_cancelled(home: ExportHome) -> None:
    home.exports.cancel(home.account, home.create(PLAYS).id)
    assert told(home) == []


@pytest.mark.parametrize(
    ("key", "count"), [("query:7:ab", 1), ("schedule 1, run 2", 0), ("account-export-3-playlogs", 0)]
)
def test_of_those_that_a_caller_asked_for(home: ExportHome, key: str, count: int) -> None:
    made: Export = home.made(PLAYS, key=key)
    assert made.has_files
    assert len(told(home)) == count
