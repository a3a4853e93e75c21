"""Puts the document of the native API together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version

from airtally.api.openapi import probes, rows
from airtally.api.openapi.errors import PROBLEM, Problems
from airtally.api.openapi.headers import HEADER_COMPONENTS, PARAMETER_COMPONENTS
from airtally.api.openapi.links import links_of
from airtally.api.openapi.paths import path_item, types_of
from airtally.api.openapi.schemas import Schemas
from airtally.api.operation import Operation
from airtally.kit.openapi import VERSION, JsonObject, prose

_ABOUT = """
Rows in, figures and files out, and all that an account has.

Errors are `application/problem+json` with a `code`. Listings have `items` and `next`, the cursor of the next page.
Every GET takes HEAD too. The key or token of a call is sent as `Authorization: Bearer …`; each operation says as
`x-airtally-permission` what it must include: `read`, `write`, `admin` or `operator`.
"""
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A native key, or a user's token."},
    "basic": {"type": "http", "scheme": "basic", "description": "A user's name and password, to log in."},
}


def native_document(operations: Sequence[Operation], server_url: str) -> JsonObject:
    """OpenAPI 3.1. `server_url` has no trailing slash."""
    problems = Problems()
    schemas = Schemas([PROBLEM, *rows.TYPES, *(kind for each in operations for kind in types_of(each))])
    paths: JsonObject = {}
    for path, item in (*rows.paths(schemas, problems).items(), *probes.paths(problems).items()):
        paths[path] = item
    for each in operations:
        found = path_item(each, schemas, problems)
        if links := links_of(each, operations, schemas):
            found["responses"][str(each.declared.status)]["links"] = links
        paths.setdefault(each.path, {})[each.declared.method.lower()] = found
    return {
        "openapi": VERSION,
        "info": {"title": "Airtally", "version": version("airtally"), "description": prose(_ABOUT)},
        "externalDocs": {"description": "Documents of the vendors' wires.", "url": f"{server_url}/api/v1/openapi"},
        "servers": [{"url": server_url}],
        "tags": [rows.TAG, *_tags(operations), probes.TAG],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": problems.components,
            "parameters": PARAMETER_COMPONENTS,
            "headers": HEADER_COMPONENTS,
            "securitySchemes": _SECURITY,
        },
    }


def _tags(operations: Sequence[Operation]) -> list[JsonObject]:
    """Described by the modules of their resources."""
    found: dict[str, list[str]] = {}
    for each in operations:
        about = _about(each)
        if about not in found.setdefault(each.tag, []):
            found[each.tag].append(about)
    return [{"name": tag, "description": " ".join(texts)} for tag, texts in found.items()]


def _about(operation: Operation) -> str:
    """The first sentence of the resource's module, which begins with its paths."""
    first = prose(sys.modules[operation.handler.__module__].__doc__).partition("\n\n")[0]
    text = first.partition(": ")[2] or first
    return text[:1].upper() + text[1:]
