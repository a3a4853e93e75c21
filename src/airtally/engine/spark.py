"""Any Spark Connect server: reads the Delta tables of the lake as of a snapshot's version."""

from __future__ import annotations

import socket
import threading
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from sqlglot import exp

from airtally.engine.limits import TimeLimit, finished_in
from airtally.engine.protocol import FilesMissing
from airtally.kit.errors import Failure, LimitExceeded, Unavailable, Unprocessable
from airtally.sql.capabilities import Capabilities
from airtally.sql.compiler import column
from airtally.sql.scope import of_account, written
from airtally.sql.statement import Files, Relation, Rows, Statement
from airtally.streams.declaration import DAY

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")  # no frame of pandas is used
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.session import SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema

CAPABILITIES = Capabilities(
    name="spark",
    dialect="spark",
    file_lists=False,
    buffered_rows=False,
    keeps_order=False,
    time_type=False,
    wide_sums=False,
)
DEFAULT_PORT = 15002
CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 5.0


class Spark:
    """A session on `address` (`sc://host:port`), opened at the first statement."""

    def __init__(self, address: str, *, seconds: float | None) -> None:
        self._address, self._seconds = address, seconds
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "localhost", parts.port or DEFAULT_PORT
        self._lock = threading.Lock()
        self._opened: Any = None

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def query(self, statement: Statement) -> pa.Table:
        """Answers in time even where the server does not stop when told to."""

        def collected() -> pa.Table:
            with self._frame(statement) as frame:
                return frame.toArrow()

        try:
            return finished_in(self._seconds, collected)
        except LimitExceeded:
            self._reach()
            raise

    def stream(self, statement: Statement) -> Iterator[pa.RecordBatch]:
        with self._frame(statement) as frame:
            client = frame.sparkSession.client
            plan = frame._plan.to_proto(client)  # noqa: SLF001 (toLocalIterator does the same, but makes Python rows)
            for part in client.to_table_as_iterator(plan, {}):
                if isinstance(part, pa.Table):
                    yield from part.to_batches()

    def write_parquet(self, statement: Statement, path: Path, codec: str) -> int:
        raise NotImplementedError  # its server may have no way to our disk

    def close(self) -> None:
        with self._lock:
            session, self._opened = self._opened, None
        if session is not None:  # a server that is gone is not waited for
            stopping = threading.Thread(target=session.stop, daemon=True)
            stopping.start()
            stopping.join(CLOSE_SECONDS)

    def _session(self) -> Any:
        with self._lock:
            if self._opened is None:
                self._reach()
                self._opened = SparkSession.builder.remote(self._address).create()
                self._opened.conf.set("spark.sql.session.timeZone", "UTC")
            return self._opened

    def _reach(self) -> None:
        """The client by itself tries for minutes. Raises Unavailable."""
        try:
            socket.create_connection((self._host, self._port), CONNECT_SECONDS).close()
        except OSError as error:
            raise _unreachable() from error

    @contextmanager
    def _frame(self, statement: Statement) -> Iterator[Any]:
        name = f"airtally_{uuid.uuid4().hex}"
        with TimeLimit(self._seconds, partial(self._interrupt, name)) as limit:
            try:
                session = self._session()
                with _tagged(session, name), _views(session, statement, name) as (text, parameters):
                    yield session.sql(text, args=parameters)
            except PySparkException as error:
                failure = limit.failure if limit.over else _failure(error, statement)
                if failure is None:
                    raise
                raise failure from error

    def _interrupt(self, tag: str) -> None:
        with suppress(PySparkException):  # whoever waits has the answer already: the limit
            self._session().interruptTag(tag)


@contextmanager
def _tagged(session: Any, tag: str) -> Iterator[None]:
    session.addTag(tag)
    try:
        yield
    finally:
        session.removeTag(tag)


def _failure(error: PySparkException, statement: Statement) -> Failure | None:
    text = str(error)
    if "not found" in text and (".parquet" in text or "commit" in text):
        return FilesMissing.of(statement.relations.values(), text)
    if "UNAVAILABLE" in text or "failed to connect" in text:
        return _unreachable()
    return None


def _unreachable() -> Unavailable:
    return Unavailable("The analytics engine cannot be reached (AIRTALLY_ENGINE).")


@contextmanager
def _views(session: Any, statement: Statement, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Text and parameters over views that live as long as the context."""
    parameters: dict[str, Any] = dict(statement.parameters)
    sources: dict[str, exp.Query] = {}
    try:
        for name, relation in statement.relations.items():
            view = f"{prefix}_{name}"
            _table(session, relation).createOrReplaceTempView(view)
            sources[name] = _source(view, relation, f"_{name}_account", parameters)
        yield written(statement.tree, sources, "spark"), parameters
    finally:
        for name in sources:
            session.catalog.dropTempView(f"{prefix}_{name}")


def _source(view: str, relation: Relation, account: str, parameters: dict[str, Any]) -> exp.Query:
    if not isinstance(relation, Rows):
        return exp.select("*").from_(exp.to_table(view))
    parameters[account] = relation.snapshot.account
    return _cut_partitions(of_account(exp.to_table(view), relation, account), relation)


def _table(session: Any, relation: Relation) -> Any:
    if isinstance(relation, Files):
        raise TypeError("this engine reads whole tables, not lists of files")
    if not isinstance(relation, Rows):
        return session.createDataFrame(relation if relation.num_rows else [], from_arrow_schema(relation.schema))
    snapshot = relation.snapshot
    if any(table.num_rows for table in snapshot.buffered):
        raise ValueError("this engine does not see buffered rows; ask for a flushed snapshot")
    if any(file.columns is not None for file in relation.files):
        raise Unprocessable(
            f"Some rows of stream {snapshot.stream.name} were stored under an earlier schema; this engine cannot "
            "read them until they are compacted: airtally lake compact"
        )
    if snapshot.version < 0:
        return session.createDataFrame([], from_arrow_schema(relation.schema))
    return session.read.format("delta").option("versionAsOf", snapshot.version).load(snapshot.table_url)


def _cut_partitions(select: exp.Select, rows: Rows) -> exp.Select:
    """Dates, unlike values from outside, stand in the text: partitions are chosen when the query is planned."""
    if rows.days is None or rows.snapshot.version < 0:
        return select
    first, last = (exp.cast(exp.Literal.string(day.isoformat()), "date") for day in rows.days)
    return select.where(column(DAY.name) >= first).where(column(DAY.name) <= last)
