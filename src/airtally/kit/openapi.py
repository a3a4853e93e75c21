"""Pieces of OpenAPI 3.1 documents, for the native API and the vendors' wires alike."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

JsonObject = dict[str, Any]

VERSION = "3.1.1"
JSON = "application/json"

TEXT: Mapping[str, Any] = {"type": "string"}
WHOLE: Mapping[str, Any] = {"type": "integer"}
FLAG: Mapping[str, Any] = {"type": "boolean"}
#: RFC 3339.
MOMENT: Mapping[str, Any] = {"type": "string", "format": "date-time"}
BINARY: Mapping[str, Any] = {"description": "The file's bytes."}


def prose(docstring: str | None) -> str:
    """A docstring as paragraphs, each in one line."""
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


def text_of(*values: str, **more: Any) -> JsonObject:
    """A schema of texts, of one of `values` if there are any."""
    return {**TEXT, **({"enum": list(values)} if values else {}), **more}


def whole(least: int | None = None, most: int | None = None, **more: Any) -> JsonObject:
    bounds = {"minimum": least, "maximum": most}
    return {**WHOLE, **{name: each for name, each in bounds.items() if each is not None}, **more}


def array_of(items: Mapping[str, Any], **more: Any) -> JsonObject:
    return {"type": "array", "items": dict(items), **more}


def nullable(schema: Mapping[str, Any]) -> JsonObject:
    return {"anyOf": [dict(schema), {"type": "null"}]}


def closed(properties: Mapping[str, Mapping[str, Any]], optional: Sequence[str] = (), **more: Any) -> JsonObject:
    """An object that has these members and no others; all but the `optional` ones are always there."""
    return {**opened(properties, optional, **more), "additionalProperties": False}


def opened(properties: Mapping[str, Mapping[str, Any]], optional: Sequence[str] = (), **more: Any) -> JsonObject:
    """As `closed`, but it may have members besides."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required, **more}


def ref(name: str, kind: str = "schemas") -> JsonObject:
    return {"$ref": f"#/components/{kind}/{name}"}


def content(schema: Mapping[str, Any], example: Any = None, media_type: str = JSON, **examples: Any) -> JsonObject:
    """What a body has of a media type; `examples` by their names."""
    found: JsonObject = {"schema": dict(schema)}
    if example is not None:
        found["example"] = example
    if examples:
        found["examples"] = {name: {"value": each} for name, each in examples.items()}
    return {media_type: found}


def answer(description: str, body: Mapping[str, Any] | None = None, **headers: str) -> JsonObject:
    """A response. `body` as `content` makes it; `headers` by name, `_` for `-`, with their descriptions."""
    found: JsonObject = {"description": description}
    if headers:
        found["headers"] = {name.replace("_", "-"): header(text) for name, text in headers.items()}
    return found if body is None else found | {"content": dict(body)}


def header(description: str, schema: Mapping[str, Any] = TEXT) -> JsonObject:
    return {"description": description, "schema": dict(schema)}


def parameter(place: str, name: str, schema: Mapping[str, Any], description: str = "", **more: Any) -> JsonObject:
    """`place`: path, query or header. One in the path is always there."""
    found: JsonObject = {"name": name, "in": place, "schema": dict(schema)}
    if place == "path":
        found["required"] = True
    return found | ({"description": description} if description else {}) | more
