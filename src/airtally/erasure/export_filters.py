"""Filters and statements of exports, which are listed for 90 days: those with an id of the person are blanked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import update

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import exports
from airtally.erasure.addresses import rows_by_id
from airtally.erasure.journal import StepJournal
from airtally.erasure.made_files import METADATA
from airtally.erasure.person import Person
from airtally.erasure.raw_rows import RawRows
from airtally.erasure.records import ErasureFinding, ErasureTask
from airtally.erasure.store_protocol import Check
from airtally.exports.service import Exports
from airtally.exports.spec import AskedRows, ExportSpec
from airtally.streams import STREAMS

_PART = "export filters"
_ERASED: dict[str, Any] = {"erased": True}


class ExportFilters:
    """After it nobody can begin such an export anew: it would be another one."""

    def __init__(self, store: MetadataStore, service: Exports) -> None:
        self._store = store
        self._service = service

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:
        found = sum(1 for _ in self._naming(account, person))
        yield ErasureFinding(METADATA, _PART, found, 0, found)

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Those under way are stopped, and the files of those that are done deleted within minutes."""
        for export_id, spec in list(self._naming(task.account, task.person)) if task.person is not None else ():
            check()
            self._service.cancel(task.account, export_id)
            blank = msgspec.json.encode(blanked(spec)).decode()
            with self._store.begin() as connection:
                if connection.execute(update(exports).where(exports.c.id == export_id).values(spec=blank)).rowcount:
                    journal.note_within(connection, ErasureFinding(METADATA, _PART, 1, 1))

    def _naming(self, account: Account, person: Person) -> Iterator[tuple[int, ExportSpec]]:
        for row in rows_by_id(self._store, (exports.c.id, exports.c.spec), exports.c.account_id == account.id):
            spec = msgspec.json.decode(row.spec, type=ExportSpec)
            if names_person(spec, person):
                yield row.id, spec


def names_person(spec: ExportSpec, person: Person) -> bool:
    """Whether the filter by a column that names persons, or the statement, has one of the ids."""
    raw = RawRows(person)
    if spec.sql is not None:
        return raw.is_named_in(spec.sql)
    asked = msgspec.to_builtins(spec.rows) if spec.rows is not None else spec.query or {}
    stream, filters = STREAMS.get(str(asked.get("stream"))), asked.get("filter")
    if stream is None or not isinstance(filters, dict):
        return False
    named = [filters[name] for name, _ in person.wanted(stream) if name in filters]
    return raw.is_named_in(msgspec.json.encode(named).decode())


def blanked(spec: ExportSpec) -> ExportSpec:
    """With nothing of the filter or the statement, and saying so."""
    if spec.sql is not None:
        return msgspec.structs.replace(spec, sql="SELECT 'erased'")
    if spec.rows is not None:
        return msgspec.structs.replace(spec, rows=AskedRows(spec.rows.stream, filter=_ERASED))
    return msgspec.structs.replace(spec, query={"stream": (spec.query or {}).get("stream"), "filter": _ERASED})
