"""`airtally query` and `airtally sql`: figures and rows of streams."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from airtally.cli.answers import AnswerForm, print_answer
from airtally.cli.common import OwnAccountSlug, command
from airtally.cli.json_arguments import JSON_HELP, read_argument, read_json
from airtally.cli.server import given, server

_TABLE = AnswerForm()


@command
def query(
    stream: Annotated[str, Parameter(help="Name of the stream, such as playlogs.")],
    *,
    account: OwnAccountSlug = None,
    metric: Annotated[
        tuple[str, ...],
        Parameter(help="A figure, such as `count` or `sum(spend) as money`; can be repeated.", negative=()),
    ] = (),
    by: Annotated[tuple[str, ...], Parameter(help="A column to group by; can be repeated.", negative=())] = (),
    filter_: Annotated[
        str | None, Parameter(name="--filter", allow_leading_hyphen=True, help=f"Which rows count: {JSON_HELP}.")
    ] = None,
    range_: Annotated[
        str | None, Parameter(name="--range", help="The interval in words, such as `last 7 days`.")
    ] = None,
    start: Annotated[str | None, Parameter(help="Begin of the interval.")] = None,
    end: Annotated[str | None, Parameter(help="End of the interval, not included.")] = None,
    grain: Annotated[str | None, Parameter(help="A row for each `hour`, `day` and so on.")] = None,
    timezone: Annotated[str | None, Parameter(help="IANA name of the zone whose days count.")] = None,
    compare: Annotated[str | None, Parameter(help="`previous_period` or `previous_year`.")] = None,
    order: Annotated[
        tuple[str, ...],
        Parameter(
            help="A column to sort by, `-` before it for the highest first; can be repeated.",
            negative=(),
            allow_leading_hyphen=True,
        ),
    ] = (),
    limit: Annotated[int | None, Parameter(help="At most so many rows.")] = None,
    form: AnswerForm = _TABLE,
) -> None:
    """Answer a question about a stream. docs/reference/query-api.md describes the fields."""
    asked = {
        "stream": stream,
        "metrics": metric or None,
        "dimensions": by or None,
        "filter": read_json(filter_, "--filter"),
        "range": range_,
        "start": start,
        "end": end,
        "grain": grain,
        "timezone": timezone,
        "compare": compare,
        "order": order or None,
        "limit": limit,
    }
    with server(account) as api:
        print_answer(api, "/query", given(asked), form)


@command
def sql(
    statement: Annotated[str, Parameter(help="A SELECT, @FILE with one, or - for standard input.")],
    *,
    account: OwnAccountSlug = None,
    form: AnswerForm = _TABLE,
) -> None:
    """Run a SELECT over the account's streams. docs/reference/sql-api.md describes the tables."""
    with server(account) as api:
        print_answer(api, "/sql", {"sql": read_argument(statement)}, form)
