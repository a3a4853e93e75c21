"""The engine of the child process, opened once and kept between calls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from airtally.engine.protocol import Engine

#: With this a day of 10 million rows is sorted in a process of 730 MB, and hardly slower than with more.
MOST_MEMORY = 320 << 20


@dataclass(frozen=True, slots=True)
class HeavyOptions:
    """Options of the child process's engine: `memory` in bytes. One thread leaves cores to online queries."""

    memory: int
    temp_folder: Path
    threads: int = 1


@lru_cache(maxsize=1)
def engine_in_child(options: HeavyOptions) -> Engine:
    """Open the engine, without a time limit. Only for functions that run in the child."""
    from airtally.engine.duckdb import DuckDB  # noqa: PLC0415 (only the child loads it)

    memory = min(options.memory, MOST_MEMORY)
    return DuckDB(memory=memory, seconds=None, temp_folder=options.temp_folder, threads=options.threads)
