"""Analytics engines: DuckDB in the process, or any Spark Connect server."""

from __future__ import annotations

from pathlib import Path

from airtally.engine.protocol import Engine
from airtally.settings import SettingError


def open_engine(engine: str, memory: int, seconds: float | None, temp_folder: Path) -> Engine:
    """Open the engine that AIRTALLY_ENGINE names.

    `memory` (bytes) and `temp_folder` are for DuckDB only; `seconds` is the limit of a query, None for none. Raises
    SettingError for an unknown engine.
    """
    check_engine(engine)
    if engine == "duckdb":
        from airtally.engine.duckdb import DuckDB  # noqa: PLC0415 (load only the engine that is used)

        return DuckDB(memory=memory, seconds=seconds, temp_folder=temp_folder)
    from airtally.engine.spark import Spark  # noqa: PLC0415

    return Spark(engine, seconds=seconds)


def check_engine(engine: str) -> None:
    """Raises SettingError."""
    if engine != "duckdb" and not engine.startswith("sc://"):
        raise SettingError(f"AIRTALLY_ENGINE={engine!r} cannot be used: expected duckdb or sc://host:port")
