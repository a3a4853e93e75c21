"""Printing: a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airtally.kit.time import iso_seconds

_PIPE_WIDTH = 1000


def print_json(value: object) -> None:
    """One JSON value on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=None if isinstance(value, list) and not value else 2))


def print_listing(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """All of each row as JSON, or its `columns` as a table."""
    if as_json:
        print_json([dict(row) for row in rows])
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(_cell_text(row[column])) for column in columns))
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def print_made(made: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing that was made, as a JSON object or a line for each of its parts."""
    if as_json:
        print_json(dict(made))
        return
    width = max(map(len, made))
    for name, value in made.items():
        print(f"{name:<{width}}  {_cell_text(value)}")


def moment(us: int | None) -> str | None:
    """A time for a listing: RFC 3339 in UTC, to the second."""
    return None if us is None else iso_seconds(us)


def to_second(time: str | None) -> str | None:
    """A time of the API for a listing, as `moment` writes it."""
    return None if time is None else datetime.fromisoformat(time).astimezone(UTC).isoformat(timespec="seconds")


def _cell_text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_cell_text(each)}" for name, each in value.items()) or "-"
    return str(value)
