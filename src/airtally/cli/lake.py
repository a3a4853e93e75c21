"""`airtally lake`: the tables, and their care by hand."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import App, Parameter

from airtally.background import maintenance_of, rebuilder_of
from airtally.cli.common import Json, command, settings_from_environment
from airtally.cli.output import moment, print_listing
from airtally.cli.services import opened_services
from airtally.kit import logs
from airtally.kit.clock import SystemClock
from airtally.kit.errors import Conflict, NotFound
from airtally.rollups.rebuild import EAGER as NOW
from airtally.rollups.rebuild import Rebuilder
from airtally.services import Services
from airtally.storage.lake import Lake, LakeTable
from airtally.storage.lake.compaction import EAGER
from airtally.storage.lake.damage import TableDamaged
from airtally.storage.lake.maintenance import Maintenance
from airtally.storage.lake.missing import give_up as give_up_missing
from airtally.storage.lake.missing import missing as missing_files
from airtally.storage.lake.status import status_of
from airtally.streams import STREAMS

app = App(name="lake", help="The tables: status, compact, expire, rollups, missing.")

StreamName = Annotated[str | None, Parameter(name="--stream", help="One stream; all without.")]
_COLUMNS = ("stream", "version", "rows", "size", "files", "uncompacted_files", "days", "log_files", "warnings")


@app.command
@command
def status(*, stream: StreamName = None, as_json: Json = False) -> None:
    """Show each stream's table: rows, files, log, and what is out of order."""
    lake = Lake(settings_from_environment().lake_url, clock=SystemClock())
    found = [status_of(table) for table in _tables(lake, stream)]
    print_listing([dataclasses.asdict(each) for each in found if each is not None], _COLUMNS, as_json=as_json)


@app.command
@command
def compact(*, stream: StreamName = None, as_json: Json = False) -> None:
    """Rewrite every day into sorted files without repeats, whether or not it is due."""
    with _care() as (services, _, care):
        tables = _tables(services.storage.lake, stream)
        done = [{"stream": table.name, "days_rewritten": care.compact(table, EAGER)} for table in tables]
    print_listing(done, ("stream", "days_rewritten"), as_json=as_json)


@app.command
@command
def expire(*, stream: StreamName = None, as_json: Json = False) -> None:
    """Remove the days that are older than their stream's retention, where their rollups are current."""
    with _care() as (services, _, care):
        tables = _tables(services.storage.lake, stream)
        done = [{"stream": table.name, "rows_removed": care.expire(table)} for table in tables]
    print_listing(done, ("stream", "rows_removed"), as_json=as_json)


@app.command
@command
def rollups(
    *,
    stream: StreamName = None,
    rebuild: Annotated[
        bool, Parameter(help="Drop the segments first, except in months whose rows were removed.", negative=())
    ] = False,
    as_json: Json = False,
) -> None:
    """Build all stale segments of rollups, whether or not they are due."""
    done = []
    with _care() as (services, rebuilder, _):
        for table in _tables(services.storage.lake, stream):
            for rollup in table.stream.rollups:
                if rebuild:
                    rebuilder.expiry.drop_all(rollup)
                done.append({"rollup": rollup.name, "months_made": rebuilder.rebuild(table, rollup, NOW)})
    print_listing(done, ("rollup", "months_made"), as_json=as_json)


@app.command
@command
def missing(
    *,
    stream: StreamName = None,
    give_up_rows: Annotated[
        bool,
        Parameter("--give-up", help="Take them out of the tables: their rows are lost, the rest is read.", negative=()),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the data files that are gone. Restore them from a backup of the lake, if there is one."""
    lake = Lake(settings_from_environment().lake_url, clock=SystemClock())
    look = give_up_missing if give_up_rows else missing_files
    done = [
        {"stream": table.name, "file": file.name, "rows": file.data.rows, "given_up": give_up_rows}
        for table in _tables(lake, stream)
        for file in look(table)
    ]
    print_listing(done, ("stream", "file", "rows", "given_up"), as_json=as_json)


@app.command
@command
def writers(*, as_json: Json = False) -> None:
    """Show the processes with a buffer whose rows answers wait for, the one that is furthest behind first."""
    with opened_services() as services:
        found = services.storage.writers.all()
    rows = [
        {
            "id": each.id,
            "host": each.host,
            "state": "live" if each.lives else "silent",
            "seen": moment(each.seen_at),
            "data_through": moment(each.data_through),
        }
        for each in found
    ]
    print_listing(rows, ("id", "host", "state", "seen", "data_through"), as_json=as_json)


@app.command(name="give-up")
@command
def give_up(writer_id: Annotated[str, Parameter(help="As `lake writers` shows it.")]) -> None:
    """Wait no longer for a writer whose machine is lost for good: rows in its buffer alone are lost with it."""
    with opened_services() as services:
        if any(each.id == writer_id and each.lives for each in services.storage.writers.all()):
            raise Conflict(f"The writer {writer_id} is alive", hint="Stop it: it then moves its rows into the lake")
        if not services.storage.writers.forget(writer_id):
            raise NotFound(f"There is no writer {writer_id[:64]!r}", hint="`airtally lake writers` shows them")


@contextmanager
def _care() -> Iterator[tuple[Services, Rebuilder, Maintenance]]:
    logs.configure("warning")
    with opened_services() as services:
        rebuilder = rebuilder_of(services)
        yield services, rebuilder, maintenance_of(services, rebuilder)


def _tables(lake: Lake, stream: str | None) -> list[LakeTable]:
    if stream is not None and stream not in STREAMS:
        raise NotFound(f"There is no stream {stream!r}", hint="The streams are: " + ", ".join(STREAMS))
    if stream is not None:
        table = lake.table(STREAMS[stream])
        return [table] if table.exists() else []
    readable = lake.existing()
    for table in lake.tables():
        if table not in readable:
            _warn_if_damaged(table)
    return readable


def _warn_if_damaged(table: LakeTable) -> None:
    try:
        table.exists()
    except TableDamaged as damaged:
        print(f"airtally: {damaged.message}. {damaged.hint}", file=sys.stderr)
