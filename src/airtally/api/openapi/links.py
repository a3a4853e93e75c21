"""Links of the document: which operations take the id that an answer has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from airtally.api.openapi.paths import answer_of
from airtally.api.openapi.schemas import Schemas
from airtally.api.operation import Operation
from airtally.kit.openapi import JsonObject


def links_of(operation: Operation, operations: Sequence[Operation], schemas: Schemas) -> JsonObject:
    """From what is made or listed at `/keys` to all operations at `/keys/{key_id}`, and below it."""
    if operation.declared.method not in {"GET", "POST"} or operation.declared.raw or answer_of(operation) is None:
        return {}
    return {
        each.id: {"operationId": each.id, "parameters": {name: expression}}
        for each, name in _operations_below(operation, operations)
        if (expression := _expression(operation, name, schemas)) is not None
    }


def _operations_below(operation: Operation, operations: Sequence[Operation]) -> Iterator[tuple[Operation, str]]:
    """The operations whose path is the operation's with one parameter more, and that parameter's name."""
    for each in operations:
        rest = each.path.removeprefix(operation.path + "/")
        parameter = re.fullmatch(r"\{(\w+)\}(?:/[^{}]+)?", rest)
        if rest != each.path and parameter is not None and "{" not in operation.path:
            yield each, parameter[1]


def _expression(operation: Operation, name: str, schemas: Schemas) -> str | None:
    """Where an answer has the value of a path parameter: in `name` or, for `key_id`, in `id`."""
    schema, at = schemas.resolved(schemas.of(answer_of(operation))), "$response.body#"
    if "items" in schema.get("properties", {}):
        schema, at = schemas.resolved(schema["properties"]["items"]["items"]), f"{at}/items/0"
    fields = schema.get("properties", {})
    field = name if name in fields else "id" if name.endswith("_id") else None
    return f"{at}/{field}" if field in fields else None
