"""The owners' index of a home made when ids were folded by Unicode's rules."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing

from alembic import command
from sqlalchemy import create_engine

from airtally.database import migrate
from airtally.runtime import open_services
from airtally.settings import Settings
from fixtures.native import Native

TIME = "2026-03-10T00:05:00Z"


def group(name: str) -> dict[str, str]:
    return {"ad_group_id": name, "name": "n", "platform": "iOS"}


def older(home, *ids: str) -> None:
    """The index as the release before 0003 left it: revision 0002, ids in Unicode's small letters."""
    with sqlite3.connect(home / "metadata.sqlite") as database:
        for spelled in ids:
            change = "UPDATE owners SET external_id = ? WHERE kind = 'ad_group' AND external_id = ?"
            assert database.execute(change, (spelled.lower(), spelled)).rowcount == 1
        for now, then in (("slot_at", "turn_at"), ("offsets", "marks"), ("consumed_files", "covered")):
            database.execute(f"ALTER TABLE publications RENAME COLUMN {now} TO {then}")
        undo_later_revisions(database, home.parent / "revision.sqlite")
        database.execute("UPDATE alembic_version SET version_num = '0002'")
    database.close()


def undo_later_revisions(database: sqlite3.Connection, scratch) -> None:
    """Drop what revision 0002, of which a store is made at `scratch`, does not have; make the indexes it has."""
    engine = create_engine(f"sqlite:///{scratch}")
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0002")
    engine.dispose()
    with closing(sqlite3.connect(scratch)) as wanted:
        tables, indexes = (names(wanted, kind) for kind in ("table", "index"))
        for index in names(database, "index") - indexes:
            database.execute(f"DROP INDEX {index}")
        for table in names(database, "table") - tables:
            database.execute(f"DROP TABLE {table}")
        for table in tables:
            for column in columns(database, table) - columns(wanted, table):
                database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        made = wanted.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
        for statement in [sql for name, sql in made if name not in names(database, "index")]:
            database.execute(statement)
    scratch.unlink()


def names(database: sqlite3.Connection, kind: str) -> set[str]:
    query = "SELECT name FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite_%'"
    return {name for (name,) in database.execute(query, (kind,))}


def columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in database.execute(f"PRAGMA table_info({table})")}


def test_ids_of_an_older_home_are_their_accounts_as_they_are_spelled(start_server, tmp_path):
    server = start_server()
    acme, rival = (Native(server, f"{name}-{secrets.token_hex(3)}") for name in ("acme", "rival"))
    assert acme.send("ad_groups", [group(each) for each in ("ÉTÉ", "ÀB", "plain")]).json()["accepted"] == 3
    server.stop()
    older(tmp_path / "home", "ÉtÉ", "Àb")
    server = start_server()
    owners = server.services.access.owners
    for spelled in ("ÉtÉ", "Àb", "plain"):
        assert owners.owner_of("ad_group", spelled) == acme.account.id
    assert owners.ids_of("ad_group_by_unicode", acme.account.id) == []
    for native in (acme, rival):
        native.http.base_url = server.url
    taken = rival.send("ad_groups", [group(each) for each in ("été", "àB", "ÉTÉ", "Plain")]).json()
    assert [error["line"] for error in taken["errors"]] == [3, 4]
    assert {error["error"] for error in taken["errors"]} == {"belongs to another account"}
    acme.http.close(), rival.http.close()


def test_what_died_half_way_is_done_at_the_next_start(tmp_path, start_server):
    server = start_server()
    acme = Native(server, "acme")
    assert acme.send("ad_groups", [group("ΛΟΓΟΣ")]).json()["accepted"] == 1
    acme.http.close()
    server.stop()
    older(tmp_path / "home")
    with sqlite3.connect(tmp_path / "home" / "metadata.sqlite") as database:  # claimed, the old one still there
        database.execute("INSERT INTO owners SELECT kind || '_by_unicode', 'λογοσ', account_id FROM owners")
    database.close()
    for _ in range(2):
        services = open_services(Settings(home=tmp_path / "home"))
        try:
            assert services.access.owners.ids_of("ad_group", acme.account.id) == ["ΛΟΓΟΣ"]
            assert services.access.owners.ids_of("ad_group_by_unicode", acme.account.id) == []
        finally:
            services.close()
