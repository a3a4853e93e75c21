"""`airtally lake`: the tables, and their care by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import App, Parameter

from airtally.cli.common import Json, command, settings_from_environment
from airtally.cli.output import print_listing
from airtally.engine.heavy import HeavyPool
from airtally.kit import logs
from airtally.kit.clock import SystemClock
from airtally.kit.errors import NotFound
from airtally.lake import Lake, LakeTable
from airtally.lake.compaction import EAGER
from airtally.lake.maintenance import Maintenance
from airtally.lake.status import status_of
from airtally.streams import STREAMS

app = App(name="lake", help="The tables: status, compact, expire.")

StreamName = Annotated[str | None, Parameter(name="--stream", help="One stream; all without.")]
_COLUMNS = ("stream", "version", "rows", "size", "files", "fresh_files", "days", "log_files", "warnings")


@app.command
@command
def status(*, stream: StreamName = None, as_json: Json = False) -> None:
    """Show each stream's table: rows, files, log, and what is out of order."""
    with _opened() as (lake, _):
        found = [status_of(table) for table in _tables(lake, stream)]
    print_listing([dataclasses.asdict(each) for each in found if each is not None], _COLUMNS, as_json=as_json)


@app.command
@command
def compact(*, stream: StreamName = None, as_json: Json = False) -> None:
    """Rewrite every day into sorted files without repeats, whether or not it is due."""
    _each(stream, "days_rewritten", lambda care, table: care.compact(table, EAGER), as_json=as_json)


@app.command
@command
def expire(*, stream: StreamName = None, as_json: Json = False) -> None:
    """Remove the days that are older than their stream's retention."""
    _each(stream, "rows_removed", lambda care, table: care.expire(table), as_json=as_json)


def _each(stream: str | None, what: str, work: Callable[[Maintenance, LakeTable], int], *, as_json: bool) -> None:
    with _opened() as (lake, care):
        done = [{"stream": table.stream.name, what: work(care, table)} for table in _tables(lake, stream)]
    print_listing(done, ("stream", what), as_json=as_json)


@contextmanager
def _opened() -> Iterator[tuple[Lake, Maintenance]]:
    logs.configure("warning")
    settings = settings_from_environment()
    lake, heavy = Lake(settings.lake_url, clock=SystemClock()), HeavyPool()
    try:
        yield (
            lake,
            Maintenance(
                lake,
                heavy,
                retention=lambda stream: settings.retention(stream.name),
                scratch=settings.home / "tmp",
                memory=settings.engine_memory,
            ),
        )
    finally:
        heavy.close()


def _tables(lake: Lake, stream: str | None) -> list[LakeTable]:
    if stream is not None and stream not in STREAMS:
        raise NotFound(f"There is no stream {stream!r}", hint="The streams are: " + ", ".join(STREAMS))
    return [table for table in lake.existing() if stream in {None, table.stream.name}]
