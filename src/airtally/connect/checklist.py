"""Things that a client needs on this server, each with what of it is there and how it is declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from airtally.streams.record_key import written_key


class ConnectionState(StrEnum):
    """`READY`: all that is needed is there. `BEGUN`: some of it. `NOT_BEGUN`: nothing, as the account has no such client."""

    READY = "ready"
    BEGUN = "begun"
    NOT_BEGUN = "not_begun"


class DeclaredField(msgspec.Struct, frozen=True):
    """A value to be given when a thing is declared. `label` is its name for people."""

    name: str
    label: str
    example: str
    required: bool = True
    type: Literal["text", "number"] = "text"


class DeclaringCall(msgspec.Struct, frozen=True):
    """A call of the native API. `{name}` in `path` or as a value of `body` stands for the field of that name."""

    method: str
    path: str
    body: Any = None


class ChecklistItem(msgspec.Struct, frozen=True):
    """`needed`: no call works without it. `count` of what is there is a minimum where `more` is true.

    `names`: some of what is there. `command` and `call` declare it; `fields` are those of the call.
    """

    id: str
    title: str
    why: str
    needed: bool
    count: int
    more: bool
    names: tuple[str, ...]
    command: str
    call: DeclaringCall
    fields: tuple[DeclaredField, ...] = ()

    @property
    def there(self) -> bool:
        return self.count > 0


def state_of(items: Sequence[ChecklistItem]) -> ConnectionState:
    """Of a check-list."""
    there = [each.there for each in items if each.needed]
    if all(there):
        return ConnectionState.READY
    return ConnectionState.BEGUN if any(each.there for each in items) else ConnectionState.NOT_BEGUN


def filled(call: DeclaringCall, values: Mapping[str, str], fields: Sequence[DeclaredField]) -> DeclaringCall:
    """The call with values in place of its fields; optional ones that are empty are left out. Raises ValueError."""
    typed: dict[str, Any] = {}
    for each in fields:
        text = values.get(each.name, "").strip()
        if not text and each.required:
            raise ValueError(f"{each.label} is missing")
        if text and each.type == "number" and not (text.isascii() and text.isdigit()):
            raise ValueError(f"{each.label} is to be a whole number")
        typed[f"{{{each.name}}}"] = int(text) if text and each.type == "number" else text or None
    path = call.path
    for slot, value in typed.items():
        path = path.replace(slot, quote("" if value is None else _in_path(str(value)), safe=""))
    return DeclaringCall(call.method, path, _with_values(call.body, typed))


def _in_path(text: str) -> str:
    """One value of a record's key, as paths have it."""
    return written_key((text,))


def _with_values(body: Any, typed: Mapping[str, Any]) -> Any:
    if isinstance(body, str):
        return typed.get(body, body)
    if isinstance(body, list):
        return [_with_values(each, typed) for each in body]
    if isinstance(body, dict):
        read = {name: _with_values(each, typed) for name, each in body.items()}
        return {name: each for name, each in read.items() if each is not None and each != {}}
    return body
