"""One day of a report as compressed lines on disk, in this process or in the child."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from airtally.engine.child import MOST_MEMORY, HeavyOptions, engine_in_child
from airtally.engine.protocol import Engine
from airtally.files.gzip import Packed, pack
from airtally.files.store import storage_failures
from airtally.kit.durable import sync_path
from airtally.kit.prefetch import prefetch
from airtally.query.lines import Extract, OrderedBy, RenderedLines, lines_of_day
from airtally.storage.lake.snapshot import Snapshot

CORES = min(os.cpu_count() or 1, 4)


@dataclass(frozen=True, slots=True)
class DayWork:
    """A day to render into a new file. `memory`, in bytes, is what its rows may take while they are put in order.

    With `ahead` lines are made while those before them are compressed, which takes a second core.
    """

    day: date
    path: Path
    memory: int
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class RenderedDay:
    """The number of lines, their sizes and checksum; `ordered_by` is None where there were none."""

    rows: int
    packed: Packed
    ordered_by: OrderedBy | None


def line_memory(options: HeavyOptions) -> int:
    """Bytes that rows may take, of all days that are rendered at once in one process."""
    return min(options.memory, MOST_MEMORY)


def render_day(engine: Engine, extract: Extract, snapshot: Snapshot, work: DayWork) -> RenderedDay:
    """Write one day. Raises what the engine raises, and StorageFull; then there is no file."""
    made = _written(engine, extract, snapshot, work)
    _sync(work)
    return made


def render_in_child(
    options: HeavyOptions, extract: Extract, snapshots: Sequence[Snapshot], wanted: Sequence[tuple[date, Path]]
) -> list[RenderedDay]:
    """Render as many days at once as there are cores, one core each: cheaper than all cores on one day.

    The disk takes what is written of one while others are rendered.
    """
    engine = engine_in_child(options)
    at_once = min(CORES, len(wanted))
    works = [DayWork(day, path, line_memory(options) // at_once, ahead=at_once == 1) for day, path in wanted]
    with ThreadPoolExecutor(at_once) as pool:
        made = [
            pool.submit(_written, engine, extract, snapshot, work)
            for snapshot, work in zip(snapshots, works, strict=True)
        ]
        for each, work in zip(made, works, strict=True):
            each.result()
            _sync(work)
        return [each.result() for each in made]


def _written(engine: Engine, extract: Extract, snapshot: Snapshot, work: DayWork) -> RenderedDay:
    rows, ordered_by = 0, None

    def chunks(found: Iterator[RenderedLines]) -> Iterator[memoryview]:
        nonlocal rows, ordered_by
        for some in found:
            rows, ordered_by = rows + some.rows, some.ordered_by
            yield some.data

    lines = lines_of_day(engine, extract, snapshot, work.day, memory=work.memory)
    reading = closing(prefetch(lines)) if work.ahead else nullcontext(lines)
    with _file_or_none(work.path), work.path.open("wb") as file, reading as found:
        packed = pack(chunks(found), file)
    return RenderedDay(rows, packed, ordered_by)


def _sync(work: DayWork) -> None:
    with _file_or_none(work.path):
        sync_path(work.path)


@contextmanager
def _file_or_none(path: Path) -> Iterator[None]:
    try:
        with storage_failures(path.name):
            yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
