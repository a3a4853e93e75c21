"""`airtally lake`: the lake's tables, and their maintenance by hand."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated, Any

from cyclopts import App, Parameter

from airtally.background import lake_care_of
from airtally.cli.common import Json, command, settings_from_environment
from airtally.cli.output import print_listing, to_second
from airtally.cli.remote import is_remote
from airtally.cli.server import quoted, server
from airtally.cli.services import opened_services
from airtally.cli.tasks import until_done
from airtally.kit import logs
from airtally.kit.clock import SystemClock
from airtally.lake_care.actions import LakeAction
from airtally.lake_care.tables import damaged_tables, give_up_files, missing_files, statuses, tables_named
from airtally.storage.lake import Lake
from airtally.storage.marks import Marks

app = App(name="lake", help="Look after the lake's tables.")

StreamName = Annotated[str | None, Parameter(name="--stream", help="The stream; if not given, all.")]
_COLUMNS = ("stream", "version", "rows", "size", "files", "uncompacted_files", "days", "log_files", "warnings")


@app.command
@command
def status(*, stream: StreamName = None, as_json: Json = False) -> None:
    """Show each stream's table: its rows, files and log, and any problem."""
    if is_remote():
        with server() as api:
            answer = api.get("/lake/tables", stream=stream)
        _print_damaged(answer["damaged"])
        found = answer["items"]
    else:
        found = [dataclasses.asdict(each) for each in statuses(_opened_lake(stream), stream)]
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def compact(*, stream: StreamName = None, as_json: Json = False) -> None:
    """Compact every day into sorted files without duplicates, whether or not it is due."""
    print_listing(_done(LakeAction.COMPACT, stream), ("stream", "days_rewritten"), as_json=as_json)


@app.command
@command
def expire(*, stream: StreamName = None, as_json: Json = False) -> None:
    """Remove the days that are older than their stream's retention, where their rollups are current."""
    print_listing(_done(LakeAction.EXPIRE, stream), ("stream", "rows_removed"), as_json=as_json)


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
    action = LakeAction.REBUILD_ROLLUPS if rebuild else LakeAction.ROLLUPS
    print_listing(_done(action, stream), ("rollup", "months_made"), as_json=as_json)


@app.command
@command
def missing(
    *,
    stream: StreamName = None,
    give_up_rows: Annotated[
        bool,
        Parameter(
            "--give-up",
            help="Remove the missing files from the tables: their rows are lost, all others can be read again.",
            negative=(),
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the data files that are missing. Restore them from a backup of the lake, if there is one."""
    found = _missing_elsewhere(stream, give_up_rows) if is_remote() else _missing_here(stream, give_up_rows)
    print_listing(found, ("stream", "file", "rows", "given_up"), as_json=as_json)


@app.command
@command
def writers(*, as_json: Json = False) -> None:
    """Show the writers whose rows answers wait for, the one that is furthest behind first."""
    with server() as api:
        found = api.get("/lake/writers")["items"]
    rows = [each | {name: to_second(each[name]) for name in ("seen", "data_through")} for each in found]
    print_listing(rows, ("id", "host", "state", "seen", "data_through"), as_json=as_json)


@app.command(name="give-up")
@command
def give_up(writer_id: Annotated[str, Parameter(help="As `lake writers` shows it.")]) -> None:
    """Stop waiting for a writer whose machine is lost for good: the rows that only its buffer had are lost too."""
    with server() as api:
        api.delete(f"/lake/writers/{quoted(writer_id)}")


def _opened_lake(stream: str | None) -> Lake:
    """The lake alone, without the rest of the server; tells of damaged tables where all are asked for."""
    settings = settings_from_environment()
    marks = Marks.of_home(settings.home, settings.database_url, settings.lake_url)
    lake = Lake(settings.lake_url, clock=SystemClock(), marks=marks)
    if stream is None:
        _warn_of_damaged(lake)
    return lake


def _missing_here(stream: str | None, give_up_rows: bool) -> list[dict[str, Any]]:
    lake = _opened_lake(stream)
    if give_up_rows:
        files = [file for table in tables_named(lake, stream) for file in give_up_files(table)]
    else:
        files = list(missing_files(lake, stream))
    return [dataclasses.asdict(each) for each in files]


def _missing_elsewhere(stream: str | None, give_up_rows: bool) -> list[dict[str, Any]]:
    if give_up_rows:
        return _done_elsewhere(LakeAction.GIVE_UP_MISSING, stream)
    with server() as api:
        return list(api.items("/lake/missing-files", stream=stream))


def _done_elsewhere(action: LakeAction, stream: str | None) -> list[dict[str, Any]]:
    with server() as api:
        task = api.post("/lake/tasks", {"action": action, "stream": stream})
        return list(until_done(api, f"/lake/tasks/{task['id']}")["results"])


def _done(action: LakeAction, stream: str | None) -> list[dict[str, Any]]:
    if is_remote():
        return _done_elsewhere(action, stream)
    logs.configure("warning")
    with opened_services() as services:
        if stream is None:
            _warn_of_damaged(services.storage.lake)
        return [dict(each) for each in lake_care_of(services).run(action, stream)]


def _warn_of_damaged(lake: Lake) -> None:
    _print_damaged([f"{each.message}. {each.hint}" for each in damaged_tables(lake)])


def _print_damaged(words: list[str]) -> None:
    for each in words:
        print(f"airtally: {each}", file=sys.stderr)
