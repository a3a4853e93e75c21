"""What the server asks of an analytics engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from airtally.kit.errors import Unavailable
from airtally.sql.capabilities import Capabilities
from airtally.sql.statement import Files, Relation, Rows, Statement
from airtally.storage.lake.damage import ROWS_HELP, SEGMENTS_HELP, missing_words
from airtally.storage.lake.snapshot import DataFile
from airtally.storage.lake.table_storage import ROLLUPS


class FilesMissing(Unavailable):
    """Data files of the snapshot are missing. If they were vacuumed, a new snapshot has the rows; else they are lost.

    `gone` are their names by table, empty if the engine does not tell.
    """

    code = "data_missing"
    retry_after = 1
    hint = ROWS_HELP
    gone: Mapping[str, Sequence[str]] = {}

    @classmethod
    def of(cls, relations: Iterable[Relation], said: str) -> FilesMissing:
        """`said` is the error text of the system or the bucket, which names the file."""
        for relation in relations:
            gone = [] if isinstance(relation, pa.Table) else [each for each in relation.files if _is_gone(each, said)]
            if gone:
                return cls._of_table(relation, gone)
        return cls("Data files are missing from the lake.", hint="`airtally doctor` names them")

    @classmethod
    def _of_table(cls, relation: Rows | Files, gone: Sequence[DataFile]) -> FilesMissing:
        table = relation.table
        names = [_below(table, each.path) for each in gone]
        of_rollup = f"/{ROLLUPS}/{table}/" in gone[0].path
        failure = cls(missing_words(table, names), hint=SEGMENTS_HELP if of_rollup else "")
        failure.gone = {table: names}
        return failure


def _below(table: str, path: str) -> str:
    """The path below the table's folder, or just the file's name: paths of the server are not shown."""
    return path.rpartition(f"/{table}/" if f"/{table}/" in path else "/")[2]


def _is_gone(file: DataFile, said: str) -> bool:
    if file.on_bucket:
        return file.path.rpartition("/")[2] in said
    return not Path(file.path).exists()


class Engine(Protocol):
    """Runs statements within its limits of memory and time.

    All methods raise LimitExceeded, which names the limit and its setting, FilesMissing, and StorageFull if the disk
    has no room for what does not fit in memory. Implementations are thread-safe.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    def query(self, statement: Statement) -> pa.Table:
        """The whole answer."""
        ...

    def stream(self, statement: Statement) -> Iterator[pa.RecordBatch]:
        """The answer in batches, in order; the time limit runs until the last one is taken."""
        ...

    def write_parquet(self, statement: Statement, path: Path, codec: str) -> int:
        """Write the answer into a new file and return its rows; for engines with `writes_parquet`."""
        ...

    def close(self) -> None: ...
