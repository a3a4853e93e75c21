"""`airtally call`: any operation of the native API."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from airtally.cli.common import OwnAccountSlug, command
from airtally.cli.json_arguments import JSON_HELP, read_json
from airtally.cli.output import print_json
from airtally.cli.server import server
from airtally.kit.errors import BadRequest

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
_PREFIX = "/api/v1"


@command
def call(
    method: Annotated[Method, Parameter(help="The operation's method.")],
    path: Annotated[str, Parameter(help="Its path, such as `/keys?limit=5`, with or without /api/v1 before it.")],
    *,
    account: OwnAccountSlug = None,
    body: Annotated[str | None, Parameter(allow_leading_hyphen=True, help=f"Of the request: {JSON_HELP}.")] = None,
) -> None:
    """Call an operation and print its answer. docs/reference/operations.md lists them."""
    below = path.removeprefix(_PREFIX)
    if not below.startswith("/") or below.startswith("//"):
        raise BadRequest(f"The path {path[:100]!r} cannot be used: expected one such as /keys")
    value = read_json(body, "--body")
    options = {} if method == "GET" and value is None else {"json": {} if value is None else value}
    with server(account) as api:
        answer = api.call(method, below, **options)
    if answer.media_type == "application/json":
        print_json(answer.json())
    else:
        sys.stdout.buffer.write(answer.body)
        sys.stdout.buffer.flush()
