"""Finds damage in a table's log: which of its files is at fault, and why.

delta-rs does not always name the file, and reads an empty commit as one that brought nothing.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from airtally.kit.errors import Unavailable
from airtally.storage.lake.table_storage import LOG, LogFile, TableStorage

LAST = "_last_checkpoint"
_COMMIT = re.compile(r"([0-9]{20})\.json")
_CHECKPOINT = re.compile(r"([0-9]{20})\.checkpoint\..*parquet")


class TableDamaged(Unavailable):
    """The log of a table in the lake cannot be read; the message names the table and the file."""

    code = "table_damaged"
    retry_after = 60
    hint = "Restore the file from a backup of the lake (docs/guides/operate.md); `airtally doctor` checks all tables"

    def __init__(self, table: str, fault: str) -> None:
        super().__init__(f"The log of table {table} is damaged: {fault}")
        self.table, self.fault = table, fault

    def __reduce__(self) -> tuple[Any, ...]:
        return TableDamaged, (self.table, self.fault)  # it crosses from the process for heavy work


#: What helps where a data file of a stream, or of a rollup, is gone.
ROWS_HELP = "Restore it from a backup of the lake; where there is none, `airtally lake missing --give-up` goes on without its rows"
SEGMENTS_HELP = "`airtally lake rollups --rebuild` makes it anew; where the rows have left, restore it from a backup"
_SHOWN = 5


def missing_words(table: str, names: Sequence[str]) -> str:
    """`names` of data files below the table's folder."""
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return f"Data {'files are' if len(names) > 1 else 'file is'} missing from table {table}: {shown}"


@dataclass(slots=True)
class Looked:
    """Files of a log that were found well, as they were then: a look at them again costs a stat."""

    well: set[LogFile] = field(default_factory=set)


def fault_of(storage: TableStorage, looked: Looked | None = None) -> str | None:
    """The file of a log that is at fault and why; None where all is well.

    Looked at twice before something is told, since another process may clean the log up meanwhile.
    """
    looked = looked or Looked()
    return next(_faults(storage, looked), None) and next(_faults(storage, looked), None)


def _faults(storage: TableStorage, looked: Looked) -> Iterator[str]:
    files = {file.name: file for file in storage.log_listing()}
    commits = {int(found[1]): files[name] for name in files if (found := _COMMIT.fullmatch(name))}
    checkpoints = {int(found[1]): files[name] for name in files if (found := _CHECKPOINT.fullmatch(name))}
    looked.well &= set(files.values())
    if not commits and not checkpoints:
        if storage.has_data():
            yield f"{LOG} is gone, and data files are there"
        return
    last = max(checkpoints, default=-1)
    yield from _gaps(storage, files, commits, last)
    needed = [checkpoints[last]] if last >= 0 else []
    for file in (*needed, *(commits[version] for version in sorted(commits) if version > last)):
        if file not in looked.well:
            why = _why(storage, file)
            if why is not None:
                yield f"{LOG}/{file.name} {why}"
            looked.well.add(file)


def _gaps(storage: TableStorage, files: dict[str, LogFile], commits: dict[int, LogFile], last: int) -> Iterator[str]:
    hinted = _hinted(storage) if LAST in files else None
    if hinted is not None and hinted > last:
        yield f"{LOG}/{hinted:020d}.checkpoint.parquet is gone"
    for version in range(last + 1, max(commits, default=last) + 1):
        if version not in commits:
            yield f"{LOG}/{version:020d}.json is gone"


def _hinted(storage: TableStorage) -> int | None:
    """The checkpoint that readers are sent to; a text that names none is passed over by them."""
    try:
        found = msgspec.json.decode(storage.read_log(LAST) or b"")
        return int(found["version"])
    except (msgspec.DecodeError, UnicodeError, KeyError, TypeError, ValueError):
        return None


def _why(storage: TableStorage, file: LogFile) -> str | None:
    data = storage.read_log(file.name)
    if data is None:
        return None  # cleaned up meanwhile, or the next look misses it
    if not data.strip():
        return "is empty"
    try:
        if file.name.endswith(".json"):
            for line in data.splitlines():
                msgspec.json.decode(line, type=dict[str, Any])
        else:
            pq.read_metadata(io.BytesIO(data))
    except (msgspec.DecodeError, UnicodeError, pa.ArrowException, OSError):
        return "is cut off or overwritten"
    return None
