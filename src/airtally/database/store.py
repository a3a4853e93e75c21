"""The metadata store: one SQLite file by default, PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import structlog
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from airtally.database import home, migrate
from airtally.kit import metrics
from airtally.kit.errors import Failure, StorageFull, Unavailable
from airtally.kit.fair import aside
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.settings import SettingError

_log = structlog.get_logger()

#: How long a writer waits for another process's transaction.
BUSY_SECONDS = 30
_READERS = 8
_RESTORE = (
    "Stop every process, keep a copy of the file that AIRTALLY_DATABASE names and of its -wal, "
    "and restore a backup: docs/guides/operate.md"
)

_FULL = {"SQLITE_FULL", "53100"}
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "XX001", "XX002")
#: Prefixes of error codes that concern the store (locked, full, unreachable), not the statement.
_AWAY = (
    "no connection",
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "08",
    "40",
    "53",
    "55",
    "57",
)


class MetadataStore:
    """Transactions on the metadata store. Thread-safe; connections are pooled.

    SQLite has one writer at a time: this process's writers queue for one connection, so that only other
    processes' transactions are polled for. Readers have connections of their own, which cannot write.
    """

    def __init__(self, writers: Engine, readers: Engine, faults: Faults = NO_FAULTS) -> None:
        self._writers = writers
        self._readers = readers
        self._faults = faults

    @classmethod
    def open(cls, url: str, *, migrate_schema: bool = True, faults: Faults = NO_FAULTS) -> MetadataStore:
        """Open the store and bring its tables up to date.

        Raises SettingError for a URL that cannot be used, Unavailable where the database does not answer, and
        NewerHome where a newer program has changed the home.
        """
        parsed = _parse(url)
        engines = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql(parsed)
        store = cls(*engines, faults)
        try:
            if migrate_schema:
                with _failures():
                    migrate.upgrade(store._writers)
                home.enter(cls(*engines))
        except BaseException:
            store.close()
            raise
        return store

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writers.dialect.name

    @property
    def upserts(self) -> ModuleType:
        """The dialect's module, whose `insert` knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return postgresql if self.dialect == "postgresql" else sqlite

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that may write, committed at the end of the block and rolled back by an exception.

        Must not be nested. Raises StorageFull or Unavailable; lets IntegrityError through.
        """
        with aside():
            self._faults.reach("metadata.write")
            with _failures(), self._writers.begin() as connection:
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads one consistent state and cannot write; it never waits for a writer."""
        with aside():
            self._faults.reach("metadata.read")
            with _failures(), self._readers.begin() as connection:
                yield connection

    def scrub(self) -> None:
        """Empty SQLite's log, in which deleted rows stand until it is written over. On PostgreSQL this is autovacuum's."""
        if self.dialect == "sqlite":
            with _failures(), self._writers.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        self._writers.dispose()
        self._readers.dispose()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingError("AIRTALLY_DATABASE cannot be used: expected postgresql://… or sqlite:///file") from None
    backend = parsed.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return parsed
    raise SettingError(f"AIRTALLY_DATABASE cannot be used: {backend!r} is neither postgresql:// nor sqlite:///file")


def _sqlite(url: URL) -> tuple[Engine, Engine]:
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size and not (path.exists() and path.stat().st_size > 1):
        raise _damaged(f"{path} is empty or gone, its -wal is there")  # SQLite would delete that log
    arguments = {"isolation_level": None, "timeout": BUSY_SECONDS, "check_same_thread": False}
    writers = create_engine(
        url, connect_args=arguments, pool_size=1, max_overflow=0, pool_timeout=BUSY_SECONDS, pool_reset_on_return=None
    )
    readers = create_engine(url, connect_args=arguments, pool_size=_READERS, max_overflow=_READERS * 4)
    _on_connect(writers, "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON")
    _on_connect(writers, "PRAGMA secure_delete=ON")  # what was erased is not to be read in the file's free pages
    _on_connect(readers, "PRAGMA query_only=ON")
    event.listen(writers, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    event.listen(readers, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return writers, readers


def _on_connect(engine: Engine, *statements: str) -> None:
    def prepare(connection: object, _record: object) -> None:
        for statement in statements:
            connection.execute(statement)  # type: ignore[attr-defined]

    event.listen(engine, "connect", prepare)


def _postgresql(url: URL) -> tuple[Engine, Engine]:
    engine = create_engine(
        url,
        pool_size=5,
        max_overflow=_READERS * 4,
        pool_timeout=BUSY_SECONDS,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "application_name": "airtally"},
    )
    return engine, engine.execution_options(postgresql_readonly=True)


def storable(text: str) -> str:
    """The text to look an id up by: none has a NUL in it, and PostgreSQL refuses a parameter that has one."""
    return "" if "\0" in text else text


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise _unavailable("The metadata store has no free connection") from error
    except DatabaseError as error:
        failure = _failure(error.orig, "no connection" if isinstance(error, OperationalError) else "")
        if failure is None:
            raise
        raise failure from error


def _failure(error: object, without_code: str) -> Failure | None:
    """None for a fault of the program, such as a statement that the database rejects."""
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or without_code
    if code in _FULL:
        metrics.METADATA_FAILURES.labels("storage_full").inc()
        return StorageFull("The metadata store has no room")
    if code.startswith(_DAMAGED):
        return _damaged(str(error))
    if code.startswith(_AWAY):
        return _unavailable("The metadata store does not answer", str(error))
    return None


def _damaged(why: str) -> Unavailable:
    metrics.METADATA_FAILURES.labels("damaged").inc()
    _log.error("the metadata store is damaged", error=why)
    return Unavailable(f"The metadata store is damaged: {why}", hint=_RESTORE)


def _unavailable(message: str, why: str = "") -> Unavailable:
    metrics.METADATA_FAILURES.labels("unavailable").inc()
    _log.error("metadata store failed", reason=message, error=why)
    return Unavailable(message, hint="AIRTALLY_DATABASE names it; `airtally doctor` looks into it")
