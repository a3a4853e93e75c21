"""An engine that is opened at its first use, so that an idle server has no analytics library in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from airtally.engine.protocol import Engine
from airtally.sql.capabilities import Capabilities
from airtally.sql.statement import Statement


class LazyEngine:
    """Opens the engine with `opened` at the first call and passes every call on to it. Thread-safe by one lock."""

    def __init__(self, opened: Callable[[], Engine]) -> None:
        self._opened = opened
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    @property
    def capabilities(self) -> Capabilities:
        return self._loaded().capabilities

    def query(self, statement: Statement) -> pa.Table:
        return self._loaded().query(statement)

    def stream(self, statement: Statement) -> Iterator[pa.RecordBatch]:
        return self._loaded().stream(statement)

    def write_parquet(self, statement: Statement, path: Path, codec: str) -> int:
        return self._loaded().write_parquet(statement, path, codec)

    def close(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.close()

    def _loaded(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self._opened()
            return self._engine
