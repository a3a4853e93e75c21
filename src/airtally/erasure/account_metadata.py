"""An account's rows in the metadata store, as lines of JSON for its owner: without secrets and what is only ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, LargeBinary, Table, select, tuple_

from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, metadata, quarantine
from airtally.erasure.account_files import account_tables
from airtally.ingest.rejected import unpacked_rows

#: Work under way, credentials and what only says how far the server is.
LEFT_OUT = frozenset(
    {
        *("account_exports", "claims", "export_parts", "exports", "file_marks", "job_turns", "jobs"),
        *("one_time_links", "publications", "request_keys", "sessions", "slate_codes", "tokens", "usage_loads"),
    }
)
_SECRET = ("hash", "secret", "sealed", "token", "csrf")
_ROWS_AT_ONCE = 1000


def metadata_lines(store: MetadataStore, account_id: int) -> Iterator[bytes]:
    """`{"table": …, "row": {…}}`, the account first."""
    yield from _lines_of(store, accounts, accounts.c.id == account_id)
    for table, mine in account_tables(account_id):
        if table.name not in LEFT_OUT:
            yield from _lines_of(store, table, mine)


def quarantine_lines(store: MetadataStore, account_id: int) -> Iterator[bytes]:
    """Refused rows with their reasons: `{"entry": …, "stream": …, "row": {…}}`."""
    query = select(quarantine.c.id).where(quarantine.c.account_id == account_id).order_by(quarantine.c.id)
    with store.read() as connection:
        ids = connection.execute(query).scalars().all()
    for entry_id in ids:
        one = select(quarantine.c.stream, quarantine.c.content).where(quarantine.c.id == entry_id)
        with store.read() as connection:
            found = connection.execute(one).one_or_none()
        if found is not None:
            for row in unpacked_rows(found.content):
                yield _line({"entry": entry_id, "stream": found.stream, "row": msgspec.to_builtins(row)})


def _lines_of(store: MetadataStore, table: Table, mine: ColumnElement[bool]) -> Iterator[bytes]:
    """Page by page in the order of the key: no transaction lasts long, and rows deleted meanwhile move no other."""
    shown = [column for column in table.columns if _is_shown(column)]
    names, key = [str(column.name) for column in shown], list(table.primary_key.columns)
    query = select(*key, *shown).where(mine).order_by(*key).limit(_ROWS_AT_ONCE)
    page = query
    while True:
        with store.read() as connection:
            rows = connection.execute(page).all()
        for row in rows:
            yield _line({"table": str(table.name), "row": dict(zip(names, row[len(key) :], strict=True))})
        if len(rows) < _ROWS_AT_ONCE:
            return
        page = query.where(tuple_(*key) > tuple_(*rows[-1][: len(key)]))


def _is_shown(column: Column[Any]) -> bool:
    return not isinstance(column.type, LargeBinary) and not any(word in column.name for word in _SECRET)


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


assert set(metadata.tables) >= LEFT_OUT, "a table that is left out has another name now"  # noqa: S101
