"""The heavy half of compaction: files of one day become sorted files without duplicates. Runs in the child process.

DuckDB does the work; the job and its result are small and can be pickled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from airtally.storage.lake.data_files import NewFile, file_name, publish
from airtally.storage.lake.file_work import FileWork, FileWorkPlace, literal
from airtally.storage.lake.last_received import last_received
from airtally.storage.lake.schema import FIRST
from airtally.storage.lake.table_version import COMPACTED
from airtally.streams import STREAMS
from airtally.streams.declaration import Kind, Stream

#: Above this number of rows accounts are sorted in groups, one file each.
_SORTED_ROWS = 4_000_000


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Names of files are relative to the table; `rows` is what Delta says they hold together.

    `schema` is the number of the table's schema that is written; `older` has the columns of the files that have
    others than those.
    """

    stream: str
    table_url: str
    storage_options: dict[str, str]
    day: str | None
    uncompacted: tuple[str, ...]
    compacted: tuple[str, ...]
    rows: int
    memory: int
    scratch: str | None = None
    schema: int = FIRST
    older: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rewritten:
    written: tuple[NewFile, ...]
    rows: int
    duplicates: int


class RowsDiffer(Exception):
    """A rewrite would have lost or doubled rows; nothing was committed."""


def touched(job: Rewrite) -> list[str]:
    """The compacted files that hold an event of which the uncompacted ones bring another row."""
    stream = STREAMS[job.stream]
    if not job.compacted or not _identity(stream):
        return []
    with _Work(job) as work:
        work.view("compacted", job.compacted, filename=True)
        work.view("uncompacted", job.uncompacted)
        keys = ", ".join(_identity(stream))
        found = work.run(f"SELECT DISTINCT filename FROM compacted SEMI JOIN uncompacted USING ({keys})")  # noqa: S608
        return [work.name_of(row[0]) for row in found.fetchall()]


def rewrite(job: Rewrite) -> Rewritten:
    """Raises RowsDiffer where the counts before and after do not match."""
    with _Work(job) as work:
        work.view("compacted", job.compacted)
        work.view("uncompacted", job.uncompacted)
        before = work.one("SELECT (SELECT count(*) FROM uncompacted) + (SELECT count(*) FROM compacted)")
        if before != job.rows:
            raise RowsDiffer(f"{job.stream} {job.day}: files hold {before} rows, the log says {job.rows}")
        duplicates = work.find_duplicates()
        written = [work.write(where) for where in work.groups(before)]
        try:
            _check_counts(work, written, before, duplicates)
        except RowsDiffer:
            for each in written:
                work.storage.delete(each.name)
            raise
        return Rewritten(tuple(written), before - duplicates, duplicates)


def _check_counts(work: _Work, written: list[NewFile], before: int, duplicates: int) -> None:
    after = sum(each.rows for each in written)
    counted = before - after
    if counted != duplicates or duplicates != work.count_duplicates():
        raise RowsDiffer(f"{work.stream.name}: {before} rows became {after}, with {duplicates} duplicates")


class _Work(FileWork):
    """The files of a rewrite, as views `compacted` and `uncompacted`."""

    def __init__(self, job: Rewrite) -> None:
        stream = STREAMS[job.stream]
        place = FileWorkPlace(job.table_url, job.storage_options, job.memory, job.scratch)
        super().__init__(stream, place, job.older, any_file=(job.uncompacted or job.compacted)[0])
        self._job = job
        self._keys = ", ".join(_identity(stream))

    def find_duplicates(self) -> int:
        """Put the keys that more than one row has into table `again`; returns the number of rows to remove."""
        if not self._keys:
            return 0
        self.run(
            f"CREATE TABLE again AS SELECT {self._keys}, count(*) AS times FROM ({self._candidates(self._keys)})"  # noqa: S608
            f" GROUP BY {self._keys} HAVING count(*) > 1"
        )
        return self.one("SELECT sum(times - 1) FROM again")

    def count_duplicates(self) -> int:
        """The same number counted in another way: all candidates less the distinct ones."""
        if not self._keys:
            return 0
        candidates = self._candidates(self._keys)
        distinct = f"SELECT DISTINCT {self._keys} FROM ({candidates})"  # noqa: S608 (unlike a distinct count, it spills)
        return self.one(f"SELECT (SELECT count(*) FROM ({candidates})) - (SELECT count(*) FROM ({distinct}))")  # noqa: S608

    def groups(self, rows: int) -> Iterator[tuple[str, str] | None]:
        """Ranges of accounts that are sorted together; None is all."""
        if rows <= _SORTED_ROWS:
            yield None
            return
        counts = self.run(
            "SELECT account, count(*) FROM (FROM uncompacted UNION ALL FROM compacted) GROUP BY 1 ORDER BY 1"
        )
        group: list[str] = []
        size = 0
        for account, count in counts.fetchall():
            if group and size + count > _SORTED_ROWS:
                yield group[0], group[-1]
                group, size = [], 0
            group.append(account)
            size += count
        yield group[0], group[-1]

    def write(self, accounts: tuple[str, str] | None) -> NewFile:
        name = file_name(self._job.day, COMPACTED, self._job.schema)
        path = self.storage.scratch(name)
        order = ", ".join(f"{column} NULLS LAST" for column in self.stream.sort_columns)
        try:
            self.run(
                f"COPY (SELECT * FROM ({self._kept(accounts)}) ORDER BY {order}) TO {literal(str(path))}"  # noqa: S608
                " (FORMAT parquet, COMPRESSION zstd)"
            )
            return publish(self.storage, self.stream, name, self._job.day, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _kept(self, accounts: tuple[str, str] | None) -> str:
        """The rows without duplicates: only those with a key in `again` are ranked."""
        columns = [exp.column(name, quoted=True) for name in self.columns]
        rows: exp.Query = exp.union(
            exp.select(*columns).from_("uncompacted"), exp.select(*columns).from_("compacted"), distinct=False
        )
        if accounts is not None:
            low, high = (exp.Literal.string(account) for account in accounts)
            rows = exp.select("*").from_(rows.subquery("rows")).where(exp.column("account").between(low, high))
        chosen = exp.select(*columns).from_(rows.subquery("rows"))
        keys = _identity(self.stream)
        if not keys:
            return chosen.sql("duckdb")
        repeated = exp.select("*").from_(rows.subquery("rows")).join("again", using=keys, join_type="semi")
        last = last_received(repeated, [exp.column(name, quoted=True) for name in keys], columns)
        return exp.union(chosen.join("again", using=keys, join_type="anti"), last, distinct=False).sql("duckdb")

    def _candidates(self, columns: str) -> str:
        """Rows that may be duplicates: uncompacted ones with the whole identity, and compacted ones of the same events."""
        known = " AND ".join(f"{column} IS NOT NULL" for column in self.stream.identity)
        return (
            f"SELECT {columns} FROM uncompacted WHERE {known} UNION ALL "  # noqa: S608
            f"SELECT {columns} FROM compacted SEMI JOIN uncompacted USING ({self._keys})"
        )


def _identity(stream: Stream) -> tuple[str, ...]:
    """The columns that make rows of one day the same event; none for a changelog, whose versions are all kept."""
    if stream.kind is Kind.CHANGELOG or not stream.identity:
        return ()
    return ("account", *stream.identity)
