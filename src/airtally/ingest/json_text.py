"""JSON columns: checked against what they may be and brought to one form, and what is wrong with JSON in our words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from airtally.streams.declaration import Column

OUT_OF_RANGE = "number out of range"


def json_reader(column: Column) -> Callable[[Any], tuple[str | None, str | None]]:
    """From a JSON text (str or bytes) or a plain value to the canonical text, or the reason why not."""
    decode = msgspec.json.Decoder(column.json).decode
    encode = msgspec.json.Encoder(order="sorted").encode

    def read(sent: Any) -> tuple[str | None, str | None]:
        if sent is None:
            return None, None
        try:
            value = decode(sent) if isinstance(sent, str | bytes) else msgspec.convert(_plain(sent), column.json)
            if _longest(value) > column.max_bytes:
                return None, f"longer than {column.max_bytes} bytes"
            return None if value is None else encode(value).decode(), None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError, ValueError) as error:
            return None, json_error(error)

    return read


def _plain(value: Any) -> Any:
    """A nested Arrow value as JSON has it: a map (a list of pairs) as an object, without null members."""
    if isinstance(value, list) and value and all(isinstance(pair, tuple) for pair in value):
        value = dict(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if each is not None}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _longest(value: Any) -> int:
    """Bytes of the longest text inside."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    if isinstance(value, dict):
        return max(map(_longest, (*value, *value.values())), default=0)
    if isinstance(value, msgspec.Struct):
        return max(map(_longest, msgspec.structs.astuple(value)), default=0)
    return max(map(_longest, value), default=0) if isinstance(value, list) else 0


_NAMES = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}
_MEMBER = re.compile(r"Object (?:(missing required)|contains unknown) field `(.*?)`(?: - at|\Z)", re.DOTALL)
_EXPECTED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")


def json_error(error: Exception) -> str:
    """A JSON library's complaint in our words."""
    if isinstance(error, UnicodeDecodeError):
        return "invalid UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    said = str(error)
    if "out of range" in said or re.match(r"Expected `int` [<>]=", said) or isinstance(error, OverflowError):
        return OUT_OF_RANGE
    if found := _EXPECTED.match(said):
        wanted = [_NAMES.get(name, name) for name in found[1].split(" | ") if name != "null"]
        got = "number" if found[2] in {"int", "float"} else _NAMES.get(found[2], found[2])
        return f"expected {' or '.join(wanted)}, got {got}"
    if found := _MEMBER.match(said):
        return f"{'required' if found[1] else 'unknown field'}: {found[2][:128]}"
    said = said.partition(" - at ")[0].removeprefix("JSON is malformed: ")
    return f"not JSON: {'it ends too early' if said == 'Input data was truncated' else said}"[:200]
