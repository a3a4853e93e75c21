"""JSON Schemas of the types that operations take and give, as components of the document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from airtally.kit.openapi import JsonObject, prose

_TEMPLATE = "#/components/schemas/{name}"
#: As msgspec names `ListingPage[KeyAnswer]`.
_GENERIC = re.compile(r"(\w+?)_(\w+)_")
#: How a docstring describes one field: `limit`: at most so many.
_NOTE = re.compile(r"(?:^|(?<=[.;] ))`(\w+)`: ", re.MULTILINE)


class Schemas:
    """`of` gives the schema of a type, which refers to `components`."""

    def __init__(self, kinds: Iterable[Any]) -> None:
        self._kinds = list(dict.fromkeys(kinds))
        found, components = msgspec.json.schema_components(self._kinds, ref_template=_TEMPLATE)
        self._found = [_renamed(each) for each in found]
        notes = {each.__name__: field_notes(each) for each in self._kinds if isinstance(each, type)}
        self.components: JsonObject = {
            _public_name(name): _tidied(_renamed(each), notes.get(name, {})) for name, each in components.items()
        }

    def of(self, kind: Any) -> JsonObject:
        return dict(self._found[self._kinds.index(kind)])

    def resolved(self, schema: Mapping[str, Any]) -> JsonObject:
        """The schema that a reference leads to, or the schema itself."""
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        return self.components[name] if name else dict(schema)


def field_notes(kind: type) -> dict[str, str]:
    """What the docstrings of a struct and of those that it extends say of single fields."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        _, *parts = _NOTE.split(prose(each.__dict__.get("__doc__")))
        found |= {name: _sentence(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}
    return found


def _sentence(text: str) -> str:
    text = text.strip().partition("\n\n")[0]
    return text[:1].upper() + text[1:].rstrip(".;") + "."


def _public_name(name: str) -> str:
    """`KeyAnswerListingPage` for `ListingPage_KeyAnswer_`."""
    generic = _GENERIC.fullmatch(name)
    return f"{generic[2]}{generic[1]}" if generic else name


def _renamed(schema: Any) -> Any:
    """With the references to generics by their public names."""
    if isinstance(schema, dict):
        return {
            key: _TEMPLATE.format(name=_public_name(each.rpartition("/")[2])) if key == "$ref" else _renamed(each)
            for key, each in schema.items()
        }
    return [_renamed(each) for each in schema] if isinstance(schema, list) else schema


def _tidied(schema: JsonObject, notes: Mapping[str, str]) -> JsonObject:
    """With the type of enumerations, prose without line ends, and the notes at their fields."""
    schema.pop("title", None)
    if "enum" in schema and all(isinstance(each, str) for each in schema["enum"]):
        schema["type"] = "string"
    if "description" in schema:
        schema["description"] = prose(schema["description"])
    for name, each in schema.get("properties", {}).items():
        if name in notes:
            each["description"] = notes[name]
    return schema
