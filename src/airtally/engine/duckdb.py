"""The DuckDB engine: reads the data files of a snapshot and its buffered rows, in this process."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from airtally.engine.bucket import dataset
from airtally.engine.limits import TimeLimit, too_slow
from airtally.engine.parts import files_by_columns, schema_of_files, tables_of
from airtally.engine.protocol import FilesMissing
from airtally.engine.scratch import Scratch
from airtally.engine.without_pandas import settle_pandas
from airtally.kit.cache import Cache
from airtally.kit.departure import check_present, stopped_by_departure
from airtally.kit.errors import Failure, StorageFull, TooLargeAtOnce, Unprocessable
from airtally.kit.fair import CALLER, Slots, aside
from airtally.sql.capabilities import Capabilities
from airtally.sql.scope import of_account, segments_of_account, written
from airtally.sql.statement import Files, Relation, Rows, Statement
from airtally.storage.lake.snapshot import AccountsSnapshot, DataFile
from airtally.streams.declaration import ACCOUNT

CAPABILITIES = Capabilities(
    name="duckdb",
    dialect="duckdb",
    file_lists=True,
    buffered_rows=True,
    keeps_order=True,
    time_type=True,
    wide_sums=True,
    bit_sets=True,
    writes_parquet=True,
)
STREAM_ROWS = 100_000
_MAX_TEXTS = 1000
#: Queries run at once for one account, and for all. Each may use every core, so more of one account would only make
#: the others wait longer.
_SLOTS = max(2, os.cpu_count() or 1)
_ALL_SLOTS = 4 * _SLOTS


@dataclass(frozen=True, slots=True)
class _Source:
    """What a part of a relation is read from: files that DuckDB reads itself, or a registered table.

    `stored` are the columns of its files, None if they are the declared ones. `shared` files hold rows of several
    accounts, of which one is read.
    """

    files: bool
    stored: frozenset[str] | None = None
    shared: bool = False


#: The parts of one relation, in order.
_Parts = tuple[_Source, ...]

#: What DuckDB, the operating system and S3 say of a missing file.
_GONE = ("No files found", "No such file", "Path does not exist", "NoSuchKey", "NO_SUCH_KEY", "HTTP status 404")


class DuckDB:
    """One DuckDB instance with its own memory limit.

    `memory` is in bytes; what does not fit goes to a folder of its own in `temp_folder`. `seconds` is the limit of a
    query, None for none. Thread-safe: every statement runs on its own cursor, and DuckDB synchronizes these.
    """

    def __init__(self, *, memory: int, seconds: float | None, temp_folder: Path, threads: int | None = None) -> None:
        self._memory, self._seconds = memory, seconds
        self._texts = Texts()
        self._slots = Slots(_ALL_SLOTS, each=_SLOTS)
        self._scratch = Scratch(temp_folder, "duckdb")
        self._instance = duckdb.connect(":memory:", config=_config(memory, self._scratch.folder, threads))
        settle_pandas(self._instance)
        self._instance.execute("SET GLOBAL TimeZone = 'UTC'")
        self._instance.execute("SET GLOBAL parquet_metadata_cache = true")  # files of a lake never change

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def query(self, statement: Statement) -> pa.Table:
        """Accounts take turns; waiting counts towards the time limit."""
        with aside(), self._turn(statement) as seconds, self._executed(statement, seconds) as result:
            return result.to_arrow_table()

    def stream(self, statement: Statement) -> Iterator[pa.RecordBatch]:
        with self._executed(statement, self._seconds) as result:
            yield from result.to_arrow_reader(STREAM_ROWS)

    def write_parquet(self, statement: Statement, path: Path, codec: str) -> int:
        """A row group has 122,880 rows. A file that was not finished is removed."""

        def copied(text: str) -> str:
            return f"COPY ({text}) TO {_sql_text(str(path))} (FORMAT parquet, COMPRESSION {codec})"

        try:
            with self._executed(statement, self._seconds, copied) as result:
                return int(result.fetchone()[0])
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        self._instance.close()
        self._scratch.close()

    @contextmanager
    def _turn(self, statement: Statement) -> Iterator[float | None]:
        """Wait for the account's turn. Yields the seconds that are left, and raises LimitExceeded if none are."""
        begun, account = time.monotonic(), _account(statement)
        try:
            self._slots.acquire(account, self._seconds)
        except TimeoutError:
            raise too_slow(self._seconds or 0) from None
        try:
            yield None if self._seconds is None else max(0.0, self._seconds - (time.monotonic() - begun))
        finally:
            self._slots.release(account)

    @contextmanager
    def _executed(self, statement: Statement, seconds: float | None, wrap: Callable[[str], str] = str) -> Iterator[Any]:
        with (
            closing(self._instance.cursor()) as cursor,
            TimeLimit(seconds, cursor.interrupt) as limit,
            stopped_by_departure(cursor.interrupt),
        ):
            try:
                parameters: dict[str, Any] = dict(statement.parameters)
                parts = {name: _bound(cursor, name, each, parameters) for name, each in statement.relations.items()}
                yield cursor.execute(wrap(self._texts.of(statement, parts)), parameters)
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                check_present()
                failure = self._failure(error, limit, statement.relations.values())
                if failure is None:
                    raise
                raise failure from error

    def _failure(self, error: Exception, limit: TimeLimit, relations: Iterable[Relation] = ()) -> Failure | None:
        """Our failure for an error, None if there is none.

        Streamed answers raise Arrow's errors, which differ by text only.
        """
        text = str(error)
        if limit.over and "INTERRUPT Error" in text:
            return too_slow(self._seconds or 0)
        if "Out of Memory Error" in text:
            return TooLargeAtOnce(
                f"The query needed more than {self._memory // 1_000_000} MB of memory (AIRTALLY_ENGINE_MEMORY).",
                hint="Ask for a shorter interval or fewer rows, or raise AIRTALLY_ENGINE_MEMORY.",
            )
        if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
            return Unprocessable("A number in the answer does not fit into 64 bits.")
        if "No space left on device" in text:
            return StorageFull("The disk has no room for what the query cannot keep in memory.")
        if any(gone in text for gone in _GONE):
            return FilesMissing.of(relations, text)
        return None


def _account(statement: Statement) -> str:
    """The account whose rows are read; without any, the caller."""
    return next(
        (each.snapshot.account for each in statement.relations.values() if isinstance(each, Rows)), CALLER.get()
    )


def _config(memory: int, temp_folder: Path, threads: int | None) -> dict[str, str]:
    config = {
        "memory_limit": f"{memory}B",
        "temp_directory": str(temp_folder),
        "autoinstall_known_extensions": "false",  # nothing is ever fetched; what is used is built in
        "autoload_known_extensions": "false",
    }
    return config if threads is None else config | {"threads": str(threads)}


class Texts:
    """Caches the SQL text of statements by their shape: generating it takes longer than most queries.

    Thread-safe by the lock of its `Cache`.
    """

    def __init__(self) -> None:
        self._texts: Cache[Hashable, str] = Cache(_MAX_TEXTS)

    def of(self, statement: Statement, parts: Mapping[str, _Parts]) -> str:
        shape = (statement.key, tuple(parts.items()))
        text = self._texts.get(shape) if statement.key is not None else None
        if text is None:
            sources = {name: _source(name, statement.relations[name], parts[name]) for name in parts}
            text = written(statement.tree, sources, "duckdb")
            if statement.key is not None:
                self._texts.put(shape, text)
        return text


def _bound(cursor: Any, name: str, relation: Relation, parameters: dict[str, Any]) -> _Parts:
    """Register a relation's parts with the cursor, and add its files to the parameters."""
    if isinstance(relation, Files):
        return (_bound_segments(cursor, name, relation, parameters),)
    if not isinstance(relation, Rows):
        cursor.register(f"_{name}", relation)
        return (_Source(files=False),)
    parts: list[_Source] = []
    for stored, files in files_by_columns(relation.files).items():
        parts.append(
            _bound_files(cursor, f"_{name}_{len(parts)}", files, schema_of_files(relation, stored), parameters, stored)
        )
    for table in tables_of(relation):
        cursor.register(f"_{name}_{len(parts)}", table)
        parts.append(_Source(files=False))
    if isinstance(relation.snapshot, AccountsSnapshot):
        cursor.register(f"_{name}_account", pa.table([pa.array(relation.snapshot.accounts)], pa.schema([ACCOUNT])))
    else:
        parameters[f"_{name}_account"] = relation.snapshot.account
    return tuple(parts)


def _bound_segments(cursor: Any, name: str, relation: Files, parameters: dict[str, Any]) -> _Source:
    found = _bound_files(cursor, f"_{name}_0", relation.files, relation.stored, parameters)
    if relation.account is None:
        return found
    parameters[f"_{name}_account"] = relation.account
    return replace(found, shared=True)


def _source(name: str, relation: Relation, parts: _Parts) -> exp.Query:
    """The query over the parts that `_bound` registered."""
    if isinstance(relation, pa.Table):
        return exp.select("*").from_(exp.to_table(f"_{name}"))
    sources = [
        exp.func("read_parquet", exp.Placeholder(this=f"_{name}_{n}_files"))
        if part.files
        else exp.to_table(f"_{name}_{n}")
        for n, part in enumerate(parts)
    ]
    account = f"_{name}_account"
    if isinstance(relation, Files):
        return segments_of_account(sources[0], relation, account)
    selects: list[exp.Query] = [
        of_account(source, relation, account, part.stored) for source, part in zip(sources, parts, strict=True)
    ]
    return selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False)


def _bound_files(  # noqa: PLR0917 (all of them say what is read)
    cursor: Any,
    name: str,
    files: Sequence[DataFile],
    schema: pa.Schema,
    parameters: dict[str, Any],
    stored: frozenset[str] | None = None,
) -> _Source:
    if files and files[0].on_bucket:
        cursor.register(name, dataset(files, schema))
        return _Source(files=False, stored=stored)
    parameters[f"{name}_files"] = [_literal_path(file.path) for file in files]
    return _Source(files=True, stored=stored)


def _sql_text(text: str) -> str:
    """A text as SQL has it, for names of our own where no value can be bound."""
    return "'" + text.replace("'", "''") + "'"


def _literal_path(path: str) -> str:
    """Escape `*`, `?` and `[`, which DuckDB would expand as a pattern."""
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", path)
