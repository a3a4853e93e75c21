"""A DuckDB of its own, with limits, on some data files of a stream's table. For the child process."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from airtally.storage.lake.evolved import written_as
from airtally.storage.lake.table_storage import BucketStorage, TableStorage, open_storage
from airtally.streams.declaration import Stream


@dataclass(frozen=True, slots=True)
class FileWorkPlace:
    """Where the files are, and what may be used to work on them: `memory` in bytes, `scratch` a folder."""

    table_url: str
    storage_options: dict[str, str]
    memory: int
    scratch: str | None = None


class FileWork:
    """A context: files of a bucket are fetched, and removed at the end.

    `older` has the columns of the files that have others than the declared ones; `any_file` gives an empty view its
    columns. `columns` are those of a file, which lacks the partition's.
    """

    def __init__(
        self, stream: Stream, place: FileWorkPlace, older: Mapping[str, frozenset[str]], *, any_file: str
    ) -> None:
        self.stream = stream
        self.storage: TableStorage = open_storage(place.table_url, place.storage_options)
        self.columns = [name for name in stream.stored_schema.names if name != "day"]
        self._older = older
        self._any_file = any_file
        if place.scratch is not None:
            Path(place.scratch).mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=place.scratch, prefix="airtally-rewrite-")
        self._names: dict[str, str] = {}
        import duckdb  # noqa: PLC0415 (only the child that does the work loads it)

        self._database = duckdb.connect(
            config={
                "memory_limit": f"{place.memory}B",
                "temp_directory": self._folder.name,
                "threads": 1,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._folder.cleanup()
        for local, name in self._names.items():
            if local != self.storage.full(name):
                Path(local).unlink(missing_ok=True)

    def run(self, sql: str, parameters: Iterable[Any] = ()) -> Any:
        return self._database.execute(sql, list(parameters))

    def register(self, name: str, table: pa.Table) -> None:
        """Make a table of this process readable under a name."""
        self._database.register(name, table)

    def one(self, sql: str) -> int:
        """The only value; 0 for none."""
        row = self.run(sql).fetchone()
        return 0 if row is None or row[0] is None else int(row[0])

    def view(self, view: str, names: Iterable[str], *, filename: bool = False) -> None:
        """Make a view of files (names in the table), with the declared columns."""
        by_schema: dict[frozenset[str] | None, list[str]] = defaultdict(list)
        for name in names:
            by_schema[self._older.get(name)].append(self._local(name))
        if by_schema:
            selects = (self._select(stored, files, filename=filename) for stored, files in by_schema.items())
            self.run(f"CREATE VIEW {view} AS {' UNION ALL '.join(selects)}")
        else:
            self._empty(view)

    def name_of(self, local: str) -> str:
        """The name in the table of a file that a view says by its path."""
        return self._names[local]

    def _select(self, stored: frozenset[str] | None, files: Iterable[str], *, filename: bool = False) -> str:
        """The declared columns of files that have those in `stored`, or just these."""
        columns = [written_as(self.stream, name, stored) for name in self.columns] + ["filename"] * filename
        listed = ", ".join(literal(file) for file in files)
        source = f"read_parquet([{listed}], hive_partitioning=false, filename={str(filename).lower()})"
        return f"SELECT {', '.join(columns)} FROM {source}"  # noqa: S608 (names of our own making)

    def _local(self, name: str) -> str:
        local = str(self.storage.fetch(name)) if isinstance(self.storage, BucketStorage) else self.storage.full(name)
        self._names[local] = name
        return local

    def _empty(self, view: str) -> None:
        name = self._any_file
        self.run(f"CREATE VIEW {view} AS {self._select(self._older.get(name), [self._local(name)])} LIMIT 0")


def literal(text: str) -> str:
    """A text as DuckDB writes it."""
    return "'" + text.replace("'", "''") + "'"
