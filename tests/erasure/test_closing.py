"""Closed accounts are refused everywhere, opened again as they were, and deleted whole, beside which others stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from airtally.accounts.accounts import AccountClosed
from airtally.accounts.keys import KeyOptions
from airtally.database.tables import metadata
from airtally.erasure.account_files import KEPT_TABLES, account_tables
from airtally.erasure.records import ErasureState
from airtally.kit.errors import BadRequest, Conflict, NotFound
from fixtures.erasures import ErasureHome

DAY = 86_400


def closing(home: ErasureHome):
    return home.services.privacy.closing


def delete(home: ErasureHome):
    asked = closing(home).delete("acme")
    home.worker.run_now(asked.id)
    return closing(home).deletion("acme")


def rows_of(home: ErasureHome, account_id: int) -> dict[str, int]:
    """How many rows each table has of an account."""
    with home.services.store.read() as connection:
        found = {
            table.name: connection.execute(select(func.count()).select_from(table).where(mine)).scalar_one()
            for table, mine in account_tables(account_id)
        }
    return {name: count for name, count in found.items() if count}


def everything_of(home: ErasureHome) -> None:
    """Rows in every place, of both accounts."""
    services = home.services
    for account in (home.account, home.rival):
        home.events({"hwid": "h1", "id": "a"}, {"user_id": "ann"}, account=account)
        home.devices({"hwid": "h1"}, account=account)
        home.send("app_events", {"wrong": 1}, account=account)
        services.access.users.create(
            account, username=f"u-{account.slug}", name="U", email="u@x.org", password="long enough"
        )
        services.access.keys.create(account, "slate")
        services.files.write(f"reports/{account.slug}/1-x.gz", [b"report"])
    home.flush()
    home.rebuild()
    home.events({"hwid": "h2"})


def test_a_closed_account_is_refused_and_comes_back_as_it_was(erasure_home: ErasureHome) -> None:
    home, access = erasure_home, erasure_home.services.access
    token = access.keys.create(home.account, "native", KeyOptions(frozenset({"read"}))).credentials["token"]
    user = access.users.create(home.account, username="u", name="U", email="u@x.org", password="long enough")
    session = access.sessions.begin(user)
    assert access.keys.authenticate("native", token) is not None
    assert access.accounts.by_id(home.account.id) == home.account
    closed = closing(home).close("acme", days=3)
    assert closed.delete_at == home.clock.now_us() + 3 * DAY * 1_000_000
    assert access.keys.cached("native", token) is None
    assert access.keys.authenticate("native", token) is None
    assert access.sessions.get(session) is None
    assert access.users.login("u", "long enough") is None
    with pytest.raises(AccountClosed):
        access.accounts.by_slug("acme")
    with pytest.raises(NotFound):
        access.accounts.by_id(home.account.id)
    assert [each.slug for each in access.accounts.all()] == ["acme", "rival"]
    assert closing(home).reopen("acme") == home.account
    assert access.keys.authenticate("native", token) is not None
    assert access.sessions.get(session) is not None
    with pytest.raises(Conflict):
        closing(home).reopen("acme")


def test_an_account_is_deleted_when_it_was_closed_for_long_enough(erasure_home: ErasureHome) -> None:
    home = erasure_home
    closing(home).close("acme", days=3)
    home.clock.advance(3 * DAY - 1)
    closing(home).step()
    assert closing(home).deletion("acme") is None
    home.clock.advance(1)
    closing(home).step()
    closing(home).step()
    asked = closing(home).deletion("acme")
    assert asked is not None
    home.worker.run_now(asked.id)
    assert closing(home).deletion("acme").state is ErasureState.ERASED


def test_a_deleted_account_is_gone_and_others_stay(erasure_home: ErasureHome) -> None:
    home = erasure_home
    everything_of(home)
    others, before = rows_of(home, home.rival.id), home.count(home.rival)
    found = delete(home)
    assert found.state is ErasureState.ERASED, found
    assert home.stored("app_events") == home.stored("devices") == home.stored("applications") == []
    assert rows_of(home, home.account.id) == {}
    assert home.services.files.names("reports") == ["reports/rival/1-x.gz"]
    assert rows_of(home, home.rival.id) == others
    assert home.count(home.rival) == before == 2
    [rollup] = home.services.storage.lake.table(home_stream()).stream.rollups
    segments = home.services.storage.rollups.table(rollup).newest()
    assert segments is not None
    assert set(segments.slugs) == {"rival"}
    with pytest.raises(NotFound):
        home.services.access.accounts.whether_open_or_not("acme")
    with pytest.raises(Conflict):
        home.services.access.accounts.create("Acme")
    findings = home.findings(found)
    assert findings["lake", "app_events"].erased == 3
    assert findings["metadata", "users"].erased == 1
    assert findings["metadata", "owners"].remains == 1


def home_stream():
    from airtally.streams import APP_EVENTS

    return APP_EVENTS


def test_nothing_is_built_of_a_deleted_account(erasure_home: ErasureHome) -> None:
    home = erasure_home
    everything_of(home)
    delete(home)
    home.rebuild()
    [rollup] = home_stream().rollups
    segments = home.services.storage.rollups.table(rollup).newest()
    assert set(segments.slugs) == {"rival"}
    again = home.again()
    again.rebuild()
    assert set(again.services.storage.rollups.table(rollup).newest().slugs) == {"rival"}


def test_rows_that_a_lost_machine_brings_later_stay_out(erasure_home: ErasureHome) -> None:
    home = erasure_home
    lost = home.again()
    lost.events({"user_id": "ann"})
    lost.abandon()
    home.services.storage.writers.forget(lost.services.storage.buffer.id)
    delete(home)
    home.services.storage.buffer.adopt_orphans()
    home.flush()
    assert home.stored("app_events") == []


def test_the_files_of_a_deleted_account_go_a_day_later(erasure_home: ErasureHome) -> None:
    home = erasure_home
    everything_of(home)
    table = home.services.storage.rollups.table(home_stream().rollups[0])
    files = [table.storage.full(file.name) for file in table.newest().claimed("acme")]
    assert files
    asked = delete(home)
    assert all(Path(file).exists() for file in files)
    home.clock.advance(DAY + 61)
    home.worker.run_now(asked.id)
    assert closing(home).deletion("acme").state is ErasureState.DONE
    assert not any(Path(file).exists() for file in files)


def test_what_is_being_deleted_is_neither_closed_nor_opened(erasure_home: ErasureHome) -> None:
    first = closing(erasure_home).delete("acme")
    assert closing(erasure_home).delete("acme").id == first.id
    for call in (closing(erasure_home).reopen, closing(erasure_home).close):
        with pytest.raises(Conflict):
            call("acme")


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_days_have_bounds(erasure_home: ErasureHome, days: int) -> None:
    with pytest.raises(BadRequest):
        closing(erasure_home).close("acme", days=days)


def test_every_table_is_an_accounts_or_said_to_outlive_it() -> None:
    """The kind: a new table with an account's rows is deleted with the account, without anybody thinking of it."""
    mine = {table.name for table, _ in account_tables(1)}
    nobodys = {"home", "jobs_lock", "login_tries", "nodes", "rate_limits", "replays", "rollup_changes", "rollup_tails"}
    nobodys.add("usage_positions")
    assert set(metadata.tables) - mine - KEPT_TABLES - nobodys == set()
