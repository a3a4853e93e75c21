"""What is wrong with the tables of a lake, for probes, which look at some of the files each time, and for `doctor`."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airtally.storage.lake.damage import ROWS_HELP, SEGMENTS_HELP, Looked, TableDamaged, fault_of, missing_words
from airtally.storage.lake.delta import DeltaFiles
from airtally.storage.lake.table_storage import ROLLUPS

Table = DeltaFiles[Any]

#: Files of a table that one probe looks for: 2 ms on a local disk.
_AT_ONCE = 500


class LakeHealth:
    """Looks at `tables`, those of streams and of rollups. Thread-safe: one lock, held during a look."""

    def __init__(self, tables: Callable[[], Iterable[Table]]) -> None:
        self._tables = tables
        self._lock = threading.Lock()
        self._logs: dict[str, Looked] = defaultdict(Looked)
        self._positions: dict[str, int] = defaultdict(int)
        self._gone: dict[str, set[str]] = defaultdict(set)

    def note(self, gone: Mapping[str, Iterable[str]]) -> None:
        """Note data files, by table, that a reader did not find: reported until they are back or no longer needed."""
        with self._lock:
            for table, names in gone.items():
                self._gone[table].update(names)

    def problems(self, *, thorough: bool = False) -> list[str]:
        """Each problem in words, with the command that helps. `thorough` looks at every file, and on a bucket too."""
        with self._lock:
            return [found for table in self._tables() if (found := self._problem(table, thorough=thorough)) is not None]

    def _problem(self, table: Table, *, thorough: bool) -> str | None:
        try:
            table_version = table.newest()
            fault = fault_of(table.storage, self._logs[table.name]) if table.storage.local or thorough else None
            names = [] if table_version is None else list(table_version.names)
            gone = sorted(table.storage.absent(names)) if thorough else self._seen_gone(table, names)
        except TableDamaged as damaged:
            return _words(damaged)
        except Exception as error:  # noqa: BLE001 (a bucket that is away is as much an answer)
            return str(error) or type(error).__name__
        if fault is not None:
            return _words(TableDamaged(table.name, fault))
        return f"{missing_words(table.name, gone)}. {_help(table)}" if gone else None

    def _seen_gone(self, table: Table, names: list[str]) -> list[str]:
        """Of those known to be gone and of the next few."""
        known = self._gone[table.name]
        known &= set(names)
        at = self._positions[table.name] if self._positions[table.name] < len(names) else 0
        self._positions[table.name] = at + _AT_ONCE
        looked = {*known, *(names[at : at + _AT_ONCE] if table.storage.local else ())}
        known.clear()
        known.update(table.storage.absent(looked) if looked else ())
        return sorted(known)


def _help(table: Table) -> str:
    return SEGMENTS_HELP if f"/{ROLLUPS}/" in table.url else ROWS_HELP


def _words(damaged: TableDamaged) -> str:
    return f"{damaged.message}. {damaged.hint}"
