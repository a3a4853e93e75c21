"""What a form says an export is to hold."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.console.forms import FormFields
from airtally.console.operations import ConsoleOperations
from airtally.console.visits import Visit
from airtally.kit.errors import BadRequest

#: What can be made, with its words.
MAKES = (("rows", "Rows of a stream"), ("question", "A question"), ("sql", "SQL"))
FORMATS = (("csv", "CSV"), ("ndjson", "NDJSON: a JSON object a line"), ("parquet", "Parquet"))
COMPRESSIONS = (("", "as usual for the format"), ("none", "none"), ("gzip", "gzip"), ("zstd", "zstd"))
RANGES = ("yesterday", "today", "last 7 days", "last 30 days", "this month", "last month")


def spec_of(form: FormFields) -> dict[str, Any]:
    """The body of `POST /api/v1/exports`. Raises BadRequest for JSON that cannot be read."""
    spec: dict[str, Any] = {"format": form.text("format"), "compression": form.text("compression")}
    make = form.get("make", "rows")
    if make == "question":
        spec["query"] = _object_of("The question", form.text("query"))
    elif make == "sql":
        spec["sql"] = form.text("sql")
    else:
        spec["rows"] = rows_of(form)
    return {name: value for name, value in spec.items() if value is not None}


def rows_of(form: FormFields) -> dict[str, Any]:
    """Rows of a stream, as the fields of the form name them."""
    columns = (form.text("columns") or "").replace(",", " ").split()
    condition = form.text("filter")
    asked = {
        "stream": form.get("stream", ""),
        "columns": columns or None,
        "filter": None if condition is None else _object_of("The filter", condition),
        "range": form.text("range"),
        "versions": True if "versions" in form else None,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _object_of(what: str, text: str | None) -> dict[str, Any]:
    try:
        return msgspec.json.decode((text or "").encode(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise BadRequest(
            f"{what} cannot be read as a JSON object: {error}", hint="It is written as in POST /api/v1/query"
        ) from None


def stream_choices(operations: ConsoleOperations, visit: Visit) -> list[tuple[str, str]]:
    """Streams with the words of a choice."""
    return [(each.name, each.name) for each in operations.call(visit, "list_streams").items]
