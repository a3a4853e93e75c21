"""What the document says of one operation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from airtally.api.openapi.errors import Problems, failures_of
from airtally.api.openapi.headers import answer_headers, has_tag, request_headers
from airtally.api.openapi.schemas import Schemas, field_notes
from airtally.api.operation import JSON, NoFields, Operation
from airtally.api.reading import may_be_empty
from airtally.kit.openapi import TEXT, JsonObject, array_of, parameter, prose, text_of, whole

_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_ID = whole(1, 2**63 - 1)


def types_of(operation: Operation) -> list[Any]:
    """The types that the schemas of the document are made of."""
    found = [query_of(operation), body_of(operation), answer_of(operation)]
    return [each for each in found if each is not None]


def query_of(operation: Operation) -> type[msgspec.Struct] | None:
    found = operation.declared.query_schema or operation.query
    return None if found is NoFields else found


def body_of(operation: Operation) -> Any:
    return operation.declared.body_schema or (None if operation.declared.raw else operation.body)


def answer_of(operation: Operation) -> Any:
    """None for an answer without a body, or without a schema."""
    return operation.declared.answer if operation.declared.raw else operation.answer


def path_item(operation: Operation, schemas: Schemas, problems: Problems) -> JsonObject:
    """An operation object of the document, without its links."""
    declared = operation.declared
    found: JsonObject = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": declared.summary,
        "description": prose(operation.handler.__doc__),
        "security": security_of(operation),
        "x-airtally-permission": declared.permission,
        "parameters": [*_path_parameters(operation), *_query_parameters(operation, schemas)],
        "responses": _successes(operation, schemas) | problems.responses(failures_of(operation)),
    }
    found["parameters"] += request_headers(operation)
    if operation.takes_body:
        found["requestBody"] = _request_body(operation, schemas)
    return {name: each for name, each in found.items() if each or name == "security"}


def security_of(operation: Operation) -> list[JsonObject]:
    if operation.declared.permission is not None:
        return [{"bearer": []}]
    return [{"basic": []}] if operation.declared.logs_in else []


def _path_parameters(operation: Operation) -> list[JsonObject]:
    """Those whose name ends in `_id` are numbers."""
    return [
        parameter(
            "path", name, _ID if name.endswith("_id") else _path_text(operation.declared.path_values.get(name, ()))
        )
        for name in _PATH_PARAMETER.findall(operation.path)
    ]


def _path_text(values: Sequence[str]) -> JsonObject:
    return text_of(*values) if values else text_of(minLength=1)


def _query_parameters(operation: Operation, schemas: Schemas) -> list[JsonObject]:
    kind = query_of(operation)
    if kind is None:
        return []
    schema, notes = schemas.resolved(schemas.of(kind)), field_notes(kind)
    return [
        _query_parameter(name, each, notes.get(name, ""), link=operation.declared.raw)
        | ({"required": True} if name in schema["required"] else {})
        for name, each in schema["properties"].items()
    ]


def _query_parameter(name: str, schema: Mapping[str, Any], note: str, *, link: bool) -> JsonObject:
    """`link`: the query string of a question, which has lists with commas and objects as JSON (`api/query/body.py`)."""
    schema = _without_null(schema)
    if link and schema.get("type") == "array":
        return parameter("query", name, array_of(TEXT), note, style="form", explode=False)
    if link and schema.get("type") == "object":
        found = parameter("query", name, schema, note) | {"content": {JSON: {"schema": schema}}}
        return {key: each for key, each in found.items() if key != "schema"}
    return parameter("query", name, schema, note)


def _without_null(schema: Mapping[str, Any]) -> JsonObject:
    """A query string has no null: what is not there is left out."""
    others = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    found = {name: each for name, each in schema.items() if name not in {"anyOf", "description"}}
    if found.get("default", "") is None:
        del found["default"]
    if len(others) == 1:
        return dict(others[0]) | found
    return found | ({"anyOf": others} if others else {})


def _request_body(operation: Operation, schemas: Schemas) -> JsonObject:
    body, example = body_of(operation), operation.declared.example
    found: JsonObject = {}
    for media_type in operation.declared.body_types:
        if media_type == JSON:
            found[JSON] = {"schema": {} if body is None else schemas.of(body)}
            found[JSON] |= {} if example is None else {"example": example}
        else:
            found[media_type] = {"schema": TEXT}
    return {"required": not may_be_empty(body), "content": found}


def _successes(operation: Operation, schemas: Schemas) -> JsonObject:
    declared, headers = operation.declared, answer_headers(operation)
    answer = answer_of(operation)
    empty = answer is None and not declared.raw
    status = 204 if empty and declared.status == 200 else declared.status
    found: JsonObject = {"description": "Done." if empty else declared.summary + "."}
    if headers:
        found["headers"] = headers
    if not empty:
        found["content"] = {each: _answer_content(operation, each, schemas) for each in declared.media_types}
    if not has_tag(operation):
        return {str(status): found}
    same = {"description": "The answer is still the one that `If-None-Match` names.", "headers": headers}
    return {str(status): found, "304": same}


def _answer_content(operation: Operation, media_type: str, schemas: Schemas) -> JsonObject:
    answer, example = answer_of(operation), operation.declared.answer_example
    if media_type != JSON:
        return {"schema": TEXT} if media_type.startswith("text/") or "json" in media_type else {}
    found: JsonObject = {"schema": {} if answer is None else schemas.of(answer)}
    return found | ({} if example is None else {"example": example})
