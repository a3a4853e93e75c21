"""`airtally record`: records of changelogs."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from airtally.cli.common import Json, OwnAccountSlug, command
from airtally.cli.json_arguments import JSON_HELP, read_json
from airtally.cli.output import print_listing, print_made
from airtally.cli.server import quoted, server
from airtally.kit.errors import BadRequest

app = App(name="record", help="List, write and delete records of changelogs.")

StreamName = Annotated[str, Parameter(help="Name of a changelog.")]
RecordKey = Annotated[
    str,
    Parameter(
        help="Its key, as `record list` shows it: several values with a comma between them.", allow_leading_hyphen=True
    ),
]
Limit = Annotated[int, Parameter(help="How many to show.")]
_COLUMNS = ("record", "deleted", "values")


@app.command(name="list")
@command
def list_(
    stream: StreamName,
    *,
    account: OwnAccountSlug = None,
    key: Annotated[str | None, Parameter(help="Only those whose key has this first value.")] = None,
    prefix: Annotated[str | None, Parameter(help="Only those whose next text of the key begins so.")] = None,
    deleted: Annotated[Literal["no", "yes", "any"], Parameter(help="Those that were deleted.")] = "no",
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Show records as they are now, in the order of their keys."""
    path = f"/streams/{quoted(stream)}/records"
    with server(account) as api:
        found = list(api.items(path, most=limit, key=key, prefix=prefix, deleted=deleted))
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def get(stream: StreamName, record: RecordKey, *, account: OwnAccountSlug = None, as_json: Json = False) -> None:
    """Show a record as it is now."""
    with server(account) as api:
        found = api.get(_path_of(stream, record))
    print_made(found, as_json=as_json)


@app.command
@command
def versions(
    stream: StreamName,
    record: RecordKey,
    *,
    account: OwnAccountSlug = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Show the versions of a record, newest first, deletions too."""
    with server(account) as api:
        found = list(api.items(f"{_path_of(stream, record)}/versions", most=limit))
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def put(
    stream: StreamName,
    record: RecordKey,
    *,
    account: OwnAccountSlug = None,
    values: Annotated[str, Parameter(allow_leading_hyphen=True, help=f"By column: {JSON_HELP}.")],
    as_json: Json = False,
) -> None:
    """Write a version of a record; columns that are left out are null, or have their default."""
    read = read_json(values, "--values")
    if not isinstance(read, dict):
        raise BadRequest("--values cannot be used: it is no JSON object", hint='It is such as {"name": "Lobby"}')
    with server(account, takes_rows=True) as api:
        made = api.put(_path_of(stream, record), {"values": read})
    print_made(made, as_json=as_json)


@app.command
@command
def delete(stream: StreamName, record: RecordKey, *, account: OwnAccountSlug = None) -> None:
    """Write a version that deletes a record. One that is not there is no error."""
    with server(account, takes_rows=True) as api:
        api.delete(_path_of(stream, record))


def _path_of(stream: str, record: str) -> str:
    return f"/streams/{quoted(stream)}/records/{quoted(record)}"
