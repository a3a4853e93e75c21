"""Analytics engines: DuckDB in the process, or any Spark Connect server."""

from __future__ import annotations

from pathlib import Path

from airtally.engine.protocol import Engine
from airtally.settings import SettingError


def open_engine(engine: str, memory: int, seconds: float | None, temp_folder: Path) -> Engine:
    """The engine that the setting AIRTALLY_ENGINE names.

    `memory` is in bytes and, like `temp_folder`, of no meaning to Spark; `seconds` None is without limit.
    Raises SettingError for a setting that names none.
    """
    check_engine(engine)
    if engine == "duckdb":
        from airtally.engine.duckdb import DuckDB  # noqa: PLC0415 (each engine is loaded only where it is used)

        return DuckDB(memory=memory, seconds=seconds, temp_folder=temp_folder)
    from airtally.engine.spark import Spark  # noqa: PLC0415

    return Spark(engine, seconds=seconds)


def check_engine(engine: str) -> None:
    """Raises SettingError."""
    if engine != "duckdb" and not engine.startswith("sc://"):
        raise SettingError(f"AIRTALLY_ENGINE={engine!r} cannot be used: expected duckdb or sc://host:port")
