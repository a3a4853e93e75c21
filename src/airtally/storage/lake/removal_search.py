"""Finds the rows of a table that a removal takes away, and writes files without them. Runs in the child process.

A row goes if it names one of the wanted values. So that no earlier row of an event, or version of a record, comes back
in its place, all rows of an event go whose last received row names one, and all versions of a record whose last
version does. Nothing of this depends on what compaction has removed by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from sqlglot import exp

from airtally.storage.lake.data_files import UNCOMPACTED, NewFile, file_name, publish
from airtally.storage.lake.file_work import FileWork, FileWorkPlace, literal
from airtally.storage.lake.last_received import last_received
from airtally.storage.lake.rewrite import RowsDiffer
from airtally.storage.lake.schema import FIRST
from airtally.storage.lake.table_version import COMPACTED
from airtally.streams import STREAMS
from airtally.streams.declaration import RECEIVED_ORDER, ROW_ID, Kind, Stream

#: Columns of a record that goes whole, beside those of its key.
LAST_VERSION, FIRST_CREATED, IS_LIVE = "last_version", "first_created", "is_live"


@dataclass(frozen=True, slots=True)
class RemovalRule:
    """Rows of `account` received up to `through_us` that have one of the `wanted` values in their column.

    `wanted` are pairs of a column and its values, those of the columns in `folded` in small letters. Rows of the
    writers in `kept` are never taken for the account's own.
    """

    account: str
    through_us: int
    wanted: tuple[tuple[str, tuple[str, ...]], ...]
    folded: frozenset[str] = frozenset()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemovalSearch:
    """Files (names in the table) among which rows are sought. `rows`, and for a changelog `records`, are written:
    Parquet files of the rows that go, and of the keys of records that go whole.
    """

    stream: str
    place: FileWorkPlace
    files: tuple[str, ...]
    rule: RemovalRule
    rows: str
    records: str
    older: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DoomedRows:
    """The rows of one file that go; `digest` tells them from others."""

    rows: int
    digest: int


@dataclass(frozen=True, slots=True)
class FoundRows:
    """`named` rows name a wanted value, `doomed` ones go; `records` of a changelog go whole."""

    named: int
    doomed: int
    by_file: Mapping[str, DoomedRows]
    records: int


NOTHING = FoundRows(0, 0, {}, 0)


@dataclass(frozen=True, slots=True)
class FileRemoval:
    """A file to be written without some rows: those listed in `doomed` (Parquet), or else all of `account`."""

    stream: str
    place: FileWorkPlace
    name: str
    day: str | None
    compacted: bool
    rows: int
    schema: int = FIRST
    doomed: str | None = None
    account: str | None = None
    older: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remainder:
    """The `rows` left of a file, and the new file; None where no row is left, and where none goes."""

    rows: int
    file: NewFile | None = None


def search(job: RemovalSearch) -> FoundRows:
    """Raises RowsDiffer where two rows have one id: nothing can be said of them then."""
    if not job.files:
        return NOTHING
    stream = STREAMS[job.stream]
    with FileWork(stream, job.place, job.older, any_file=job.files[0]) as work:
        work.view("stored", job.files, filename=True)
        _take_wanted(work, job.rule)
        named = _take_named(work, stream, job.rule)
        if not named:
            return NOTHING
        _take_doomed(work, stream, job.rule)
        by_file, doomed = _by_file(work), work.one("SELECT count(*) FROM doomed")
        if (stored := sum(each.rows for each in by_file.values())) != doomed:
            raise RowsDiffer(f"{job.stream}: {doomed} ids of rows are those of {stored} rows")
        work.run(f"COPY doomed TO {literal(job.rows)} (FORMAT parquet)")
        return FoundRows(named, doomed, by_file, _write_records(work, stream, job))


def written_without(job: FileRemoval) -> Remainder:
    """What is left of a file, in a new one of the same kind. Raises RowsDiffer."""
    stream = STREAMS[job.stream]
    with FileWork(stream, job.place, job.older, any_file=job.name) as work:
        work.view("stored", [job.name])
        gone = _gone(job)
        before, removed = work.one("SELECT count(*) FROM stored"), work.one(f"SELECT count(*) FROM stored {gone[0]}")  # noqa: S608
        if before != job.rows:
            raise RowsDiffer(f"{job.stream} {job.name}: the file holds {before} rows, the log says {job.rows}")
        left = before - removed
        return Remainder(left, _write_rest(work, job, gone[1], left) if removed and left else None)


def _by_file(work: FileWork) -> dict[str, DoomedRows]:
    found = work.run(
        "SELECT filename, count(*), bit_xor(hash(writer_id, sequence))"
        " FROM stored SEMI JOIN doomed USING (writer_id, sequence) GROUP BY 1"
    )
    return {work.name_of(path): DoomedRows(rows, digest) for path, rows, digest in found.fetchall()}


def _gone(job: FileRemoval) -> tuple[str, str]:
    """What selects the rows of `stored` that go, and those that stay."""
    if job.doomed is None:
        account = literal(job.account or "")
        return f"WHERE account = {account}", f"WHERE account <> {account}"
    source = f"read_parquet({literal(job.doomed)}) USING (writer_id, sequence)"
    return f"SEMI JOIN {source}", f"ANTI JOIN {source}"


def _write_rest(work: FileWork, job: FileRemoval, kept: str, rows: int) -> NewFile:
    name = file_name(job.day, COMPACTED if job.compacted else UNCOMPACTED, job.schema)
    path = work.storage.scratch(name)
    order = ", ".join(f"{column} NULLS LAST" for column in work.stream.sort_columns)
    try:
        work.run(
            f"COPY (SELECT * FROM stored {kept} ORDER BY {order}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"  # noqa: S608
        )
        written = publish(work.storage, work.stream, name, job.day, path)
    except BaseException:
        Path(path).unlink(missing_ok=True)
        raise
    if written.rows != rows:
        work.storage.delete(written.name)
        raise RowsDiffer(f"{job.stream} {job.name}: {written.rows} rows were left in place of {rows}")
    return written


def _take_wanted(work: FileWork, rule: RemovalRule) -> None:
    """The wanted values as tables: there may be thousands."""
    for number, (_, values) in enumerate(rule.wanted):
        table = pa.table({"value": pa.array(values, pa.string())})
        work.register(f"wanted_{number}", table)


def _take_named(work: FileWork, stream: Stream, rule: RemovalRule) -> int:
    """Put the rows that name a wanted value into table `named`; returns how many."""
    columns = ", ".join(dict.fromkeys((*ROW_ID, *_same(stream))))
    work.run(f"CREATE TEMP TABLE named AS SELECT {columns} FROM stored WHERE {_reach(rule)} AND {_names(rule)}")  # noqa: S608
    return work.one("SELECT count(*) FROM named")


def _take_doomed(work: FileWork, stream: Stream, rule: RemovalRule) -> None:
    """Put the ids of all rows that go into table `doomed`, and the keys of what goes whole into `lost`."""
    same = _same(stream)
    work.run("CREATE TEMP TABLE doomed AS SELECT writer_id, sequence FROM named")
    if not same:
        return
    known = " AND ".join(f"{name} IS NOT NULL" for name in same) if stream.kind is Kind.EVENT else "true"
    order = dict.fromkeys((*same, *ROW_ID, *RECEIVED_ORDER, *_versions(stream)))
    work.run(
        f"CREATE TEMP TABLE rivals AS SELECT {', '.join(order)}, coalesce({_names(rule)}, false) AS is_named"  # noqa: S608
        f" FROM stored SEMI JOIN (SELECT DISTINCT {', '.join(same)} FROM named WHERE {known}) AS asked"
        f" ON {_equal(same, 'stored', 'asked')} WHERE {_reach(rule)}"
    )
    columns = [exp.column(name, quoted=True) for name in (*same, *_versions(stream), "is_named")]
    keys = [exp.column(name, quoted=True) for name in same]
    first = (stream.time,) if stream.kind is Kind.CHANGELOG else ()
    last = last_received(exp.select("*").from_("rivals"), keys, columns, first_by=first).sql("duckdb")
    work.run(f"CREATE TEMP TABLE lost AS SELECT * FROM ({last}) WHERE is_named")  # noqa: S608
    work.run(
        "INSERT INTO doomed SELECT writer_id, sequence FROM rivals"  # noqa: S608 (columns of the declaration)
        f" SEMI JOIN lost ON {_equal(same, 'rivals', 'lost')} WHERE NOT is_named"
    )


def _write_records(work: FileWork, stream: Stream, job: RemovalSearch) -> int:
    """Write the keys of the records that go whole; returns how many.

    `is_live`: the last version was no deletion, and no version that was received later is left.
    """
    if stream.kind is not Kind.CHANGELOG:
        return 0
    same, keys = _same(stream), ", ".join(f"lost.{name}" for name in stream.key)
    later = f"SELECT DISTINCT {', '.join(same)}, true AS is_left FROM stored WHERE {_beyond(job.rule)}"  # noqa: S608
    work.run(
        f"CREATE TEMP TABLE records AS SELECT {keys}, {stream.time} AS {LAST_VERSION}, create_time_utc AS {FIRST_CREATED},"  # noqa: S608
        f" is_deleted = 0 AND is_left IS NULL AS {IS_LIVE} FROM lost LEFT JOIN ({later}) AS later"
        f" ON {_equal(same, 'lost', 'later')}"
    )
    work.run(f"COPY (FROM records ORDER BY ALL) TO {literal(job.records)} (FORMAT parquet)")
    return work.one("SELECT count(*) FROM records")


def _same(stream: Stream) -> tuple[str, ...]:
    """The columns by which rows are the same event of a day, or versions of one record."""
    return stream.key if stream.kind is Kind.CHANGELOG else stream.identity


def _versions(stream: Stream) -> tuple[str, ...]:
    return (stream.time, "create_time_utc", "is_deleted") if stream.kind is Kind.CHANGELOG else ()


def _equal(names: tuple[str, ...], left: str, right: str) -> str:
    return " AND ".join(f"{left}.{name} IS NOT DISTINCT FROM {right}.{name}" for name in names)


def _reach(rule: RemovalRule) -> str:
    """The account's rows that the rule is about."""
    condition = f"account = {literal(rule.account)} AND epoch_us(received_at) <= {rule.through_us:d}"
    kept = ", ".join(map(literal, rule.kept))
    return f"{condition} AND writer_id NOT IN ({kept})" if kept else condition


def _beyond(rule: RemovalRule) -> str:
    """The account's other rows."""
    return f"account = {literal(rule.account)} AND NOT ({_reach(rule)})"


def _names(rule: RemovalRule) -> str:
    asked = (
        f"{f'lower({column})' if column in rule.folded else column} IN (SELECT value FROM wanted_{number})"  # noqa: S608
        for number, (column, _) in enumerate(rule.wanted)
    )
    return f"({' OR '.join(asked)})"
