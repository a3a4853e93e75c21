"""Exports of rows that may name the person: their files are given out no longer, and deleted within minutes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airtally.accounts.accounts import Account
from airtally.erasure.account_export import EXPORT_KEY
from airtally.erasure.journal import StepJournal
from airtally.erasure.made_files import FILES
from airtally.erasure.person import PERSON_STREAMS, Person
from airtally.erasure.records import ErasureFinding, ErasureTask
from airtally.erasure.store_protocol import Check
from airtally.exports.export import COMING, Export, ExportState
from airtally.exports.service import Exports
from airtally.query.sql_tables import SQL_TABLES
from airtally.sql.dsl.refusal import StatementRefused
from airtally.sql.dsl.statement import checked

_LIVE = (*COMING, ExportState.DONE)
_AT_ONCE = 500


class ExportFiles:
    """Which rows a file has is not looked up: whoever needs the rest exports again."""

    def __init__(self, exports: Exports) -> None:
        self._exports = exports

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:
        found = sum(1 for _ in self._naming(account, person))
        yield ErasureFinding(FILES, "exports", found, 0, found)

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """All that were asked for before the rows were gone, those under way too."""
        if task.person is None:
            return
        for export in list(self._naming(task.account, task.person)):
            check()
            self._exports.cancel(task.account, export.id)
            journal.state(ErasureFinding(FILES, f"exports/{export.id}", 1, 1))

    def _naming(self, account: Account, person: Person) -> Iterator[Export]:
        streams = {stream.name for stream in PERSON_STREAMS if person.wanted(stream)}
        after: int | None = None
        while page := self._exports.page(account, after=after, limit=_AT_ONCE, states=_LIVE):
            yield from (export for export in page if _is_of_account(export) or _streams_of(export) & streams)
            after = page[-1].id


def _is_of_account(export: Export) -> bool:
    """Whether it belongs to an export of the whole account, beside which refused rows lie."""
    return export.key is not None and export.key.startswith(EXPORT_KEY)


def _streams_of(export: Export) -> set[str]:
    """Whose rows it may have: of a statement all that it names, as tables or by their rollups."""
    spec = export.spec
    if spec.sql is not None:
        try:
            named = checked(spec.sql, SQL_TABLES.keys()).tables
        except StatementRefused:  # by a later release than the one that took it
            named = frozenset(SQL_TABLES)
        return {SQL_TABLES[name].stream.name for name in named}
    return {spec.rows.stream if spec.rows is not None else str((spec.query or {}).get("stream"))}
