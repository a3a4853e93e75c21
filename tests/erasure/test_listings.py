"""Listings of erasures and exports of accounts go on behind their largest page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, insert

from airtally.accounts.accounts import Account
from airtally.accounts.secrets import Secrets
from airtally.api.pages import MAX_LIMIT
from airtally.database.store import MetadataStore
from airtally.database.tables import account_exports, erasures, messages
from airtally.erasure.account_export import AccountExports
from airtally.erasure.account_metadata import metadata_lines
from airtally.erasure.erasures import Erasures
from airtally.jobs.queue import Jobs
from airtally.kit.clock import MovableClock

_ERASURE = {"kind": "person", "state": "done", "hashes": "{}", "waiting_for": "[]"}
_EXPORT = {"state": "failed", "files": "[]"}
Page = Callable[..., list[Any]]


@pytest.fixture(params=["erasures", "account exports"])
def page(
    request: pytest.FixtureRequest, metadata: MetadataStore, clock: MovableClock, account: Account, secrets: Secrets
) -> Page:
    jobs = Jobs(metadata, clock, "a test")
    is_erasure = request.param == "erasures"
    table, values = (erasures, _ERASURE) if is_erasure else (account_exports, _EXPORT)
    row = values | {"account_id": account.id, "requested_by": "key 1", "created_at": clock.now_us()}
    with metadata.begin() as connection:
        connection.execute(insert(table), [row] * (MAX_LIMIT + 2))
    if is_erasure:
        return Erasures(metadata, clock, jobs, secrets).page
    return AccountExports(metadata, clock, jobs).page


def test_the_largest_page_tells_that_there_is_another(page: Page, account: Account) -> None:
    """A page is read with a limit of one more: see `page_of`."""
    first = page(account, limit=MAX_LIMIT + 1)
    assert len(first) == MAX_LIMIT + 1
    rest = page(account, after=first[MAX_LIMIT - 1].id, limit=MAX_LIMIT + 1)
    assert [each.id for each in rest] == [2, 1]


def test_rows_deleted_during_an_export_of_the_account_move_no_other(
    metadata: MetadataStore, clock: MovableClock, account: Account
) -> None:
    """As those that expire meanwhile."""
    message = {"account_id": account.id, "event_type": "ping", "payload": "{}", "created_at": clock.now_us()}
    rows = [message | {"uid": f"msg_{number}", "key": f"k{number}"} for number in range(2500)]
    with metadata.begin() as connection:
        connection.execute(insert(messages), rows)
    lines = (msgspec.json.decode(line) for line in metadata_lines(metadata, account.id))
    uids = (each["row"]["uid"] for each in lines if each["table"] == "messages")
    first = [next(uids) for _ in range(1000)]
    with metadata.begin() as connection:
        connection.execute(delete(messages).where(messages.c.id <= 500))
    assert first + list(uids) == [row["uid"] for row in rows]
