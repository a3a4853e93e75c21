"""All files and metadata of a deleted account. What is left is a stub: its slug, and the audit trail."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Table, delete, func, select

from airtally.database.store import MetadataStore
from airtally.database.tables import accounts as accounts_table
from airtally.database.tables import erasure_acks, erasure_steps, jobs, metadata, statistics
from airtally.erasure.erasures import JOB_KIND
from airtally.erasure.journal import StepJournal
from airtally.erasure.made_files import FILES, METADATA
from airtally.erasure.records import ErasureFinding, ErasureTask
from airtally.erasure.store_protocol import Check
from airtally.files.store import FileStore
from airtally.statistics.service import storage_name

#: Folders of the file store that have one folder for each account, by its slug.
ACCOUNT_FOLDERS = ("reports", "datasets", "exports")
#: What outlives an account: the stub itself, who did what, what was erased, and whose an id was.
KEPT_TABLES = frozenset({"accounts", "audit", "erasures", erasure_steps.name, erasure_acks.name, "owners"})
_RESERVED = "ad groups, application codes and CDN numbers stay reserved: devices and partners may still use them"


class AccountFiles:
    """Files of reports, datasets, statistics and exports."""

    def __init__(self, store: MetadataStore, files: FileStore) -> None:
        self._store = store
        self._files = files

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Files before the rows that name them."""
        for folder in ACCOUNT_FOLDERS:
            names = self._files.names(f"{folder}/{task.account.slug}")
            self._delete(names, folder, journal, check)
        query = select(statistics.c.file_name).where(
            statistics.c.account_id == task.account.id, statistics.c.file_name.is_not(None)
        )
        with self._store.read() as connection:
            names = [storage_name(name) for name in connection.execute(query).scalars()]
        self._delete(names, "statistics", journal, check)

    def _delete(self, names: list[str], part: str, journal: StepJournal, check: Check) -> None:
        for name in names:
            check()
            self._files.delete(name)
        if names:
            journal.state(ErasureFinding(FILES, part, len(names), len(names)))


class AccountMetadata:
    """Every table with a column `account_id`, and those that refer to such a table: found by the declarations."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Each table in one transaction with its note, those that refer to others first."""
        for table, mine in account_tables(task.account.id):
            check()
            with self._store.begin() as connection:
                gone = connection.execute(delete(table).where(mine)).rowcount
                journal.note_within(connection, ErasureFinding(METADATA, table.name, gone, gone))
        owners = metadata.tables["owners"]
        with self._store.read() as connection:
            reserved = connection.execute(
                select(func.count()).where(owners.c.account_id == task.account.id)
            ).scalar_one()
        journal.state(ErasureFinding(METADATA, "owners", reserved, 0, reserved, _RESERVED if reserved else None))


def account_tables(account_id: int) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """The tables that hold rows of an account, and which rows; each before the tables that it refers to."""
    for table in reversed(metadata.sorted_tables):
        mine = None if table.name in KEPT_TABLES else _of_account(table, account_id)
        if mine is not None:
            yield table, (mine & (table.c.kind != JOB_KIND)) if table is jobs else mine


def _of_account(table: Table, account_id: int) -> ColumnElement[bool] | None:
    """Which rows of a table are an account's; None for a table that is nobody's."""
    if table is accounts_table:
        return table.c.id == account_id
    if "account_id" in table.c:
        return table.c.account_id == account_id
    for key in table.foreign_keys:
        theirs = _of_account(key.column.table, account_id)
        if theirs is not None and key.column.table is not accounts_table:
            return key.parent.in_(select(key.column).where(theirs))
    return None
