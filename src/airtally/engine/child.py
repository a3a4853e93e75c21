"""The engine of the child process for heavy work, kept from call to call."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from airtally.engine.protocol import Engine

#: A day of 10 million rows is sorted within 730 MB of the process with this, and hardly slower than with more.
MOST_MEMORY = 320 << 20


@dataclass(frozen=True, slots=True)
class HeavyOptions:
    """For the engine of the child process: `memory` in bytes, no time limit. `threads` 1 leaves cores to others."""

    memory: int
    temp_folder: Path
    threads: int = 1


@lru_cache(maxsize=1)
def engine_in_child(options: HeavyOptions) -> Engine:
    """To be called in the child alone."""
    from airtally.engine.duckdb import DuckDB  # noqa: PLC0415 (only the child loads it)

    memory = min(options.memory, MOST_MEMORY)
    return DuckDB(memory=memory, seconds=None, temp_folder=options.temp_folder, threads=options.threads)
