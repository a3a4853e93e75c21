"""`airtally export`: rows of a stream, or an answer of any size, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from airtally.cli.common import Json, OwnAccountSlug, command
from airtally.cli.json_arguments import JSON_HELP, read_argument, read_json
from airtally.cli.output import print_listing, print_made
from airtally.cli.server import ApiServer, failures_of_calls, given, server
from airtally.cli.waiting import until_ended
from airtally.kit.errors import BadRequest

app = App(name="export", help="Make files of rows or answers, list and fetch them.")

ExportId = Annotated[int, Parameter(help="As `export list` shows it.")]
_COLUMNS = ("id", "state", "progress", "format", "parts", "rows", "bytes", "created_at", "expires_at", "error")
_FILES = ("file", "bytes")


@app.command
@command
def create(
    *,
    account: OwnAccountSlug = None,
    rows: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help=f"Rows of a stream, its name alone or {JSON_HELP}.")
    ] = None,
    query: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help=f"Or a question, as `query` takes it: {JSON_HELP}.")
    ] = None,
    sql: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="Or a SELECT, @FILE with one, or - for standard input.")
    ] = None,
    format_: Annotated[Literal["csv", "ndjson", "parquet"], Parameter(name="--format", help="Of the files.")] = "csv",
    compression: Annotated[Literal["none", "gzip", "zstd"] | None, Parameter(help="Of the files.")] = None,
    part_rows: Annotated[int | None, Parameter(help="Rows of a file at most.")] = None,
    part_bytes: Annotated[int | None, Parameter(help="Bytes of a file, about.")] = None,
    wait: Annotated[float, Parameter(help="Seconds to wait until it is done.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Have files made: by a running server, or by this command while it waits."""
    if sum(each is not None for each in (rows, query, sql)) != 1:
        raise BadRequest("An export is of --rows, of a --query or of --sql")
    asked = {
        "rows": _asked_rows(rows),
        "query": read_json(query, "--query"),
        "sql": None if sql is None else read_argument(sql),
        "format": format_,
        "compression": compression,
        "part_rows": part_rows,
        "part_bytes": part_bytes,
    }
    with server(account) as api:
        made = api.post("/exports", given(asked))
        if wait > 0:
            made = _until_done(api, made["id"], wait)
    print_made(made, as_json=as_json)


@app.command(name="list")
@command
def list_(
    *,
    account: OwnAccountSlug = None,
    limit: Annotated[int, Parameter(help="How many to show.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the exports, newest first."""
    with server(account) as api:
        found = list(api.items("/exports", most=limit))
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def get(export: ExportId, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Show an export."""
    with server(account) as api:
        found = api.get(f"/exports/{export}")
    print_made(found, as_json=as_json)


@app.command
@command
def download(
    export: ExportId,
    *,
    to: Annotated[Path, Parameter(help="Folder for the files.")],
    account: OwnAccountSlug = None,
    wait: Annotated[float, Parameter(help="Seconds to wait until it is done.")] = 3600.0,
    as_json: Json = False,
) -> None:
    """Fetch the files once they are made, each checked by its size and SHA-256; those that are there stay."""
    with server(account) as api:
        _until_done(api, export, wait)
        with failures_of_calls():
            paths = api.client.download(export, to)
    print_listing([{"file": str(path), "bytes": path.stat().st_size} for path in paths], _FILES, as_json=as_json)


@app.command
@command
def delete(export: ExportId, *, account: OwnAccountSlug = None) -> None:
    """Cancel an export that is under way, or delete its files."""
    with server(account) as api:
        api.delete(f"/exports/{export}")


def _asked_rows(rows: str | None) -> Any:
    """The name of a stream stands for all of its rows."""
    if rows is None or rows.startswith(("{", "@")) or rows == "-":
        return read_json(rows, "--rows")
    return {"stream": rows}


def _until_done(api: ApiServer, export: int, wait: float) -> dict[str, Any]:
    """Raises Unavailable where it fails, or takes longer than `wait` seconds."""
    return until_ended(
        lambda: api.get(f"/exports/{export}"),
        f"Export {export}",
        wait=wait,
        under_way={"queued", "running"},
        succeeded="done",
        working=api.exporting(),
    )
