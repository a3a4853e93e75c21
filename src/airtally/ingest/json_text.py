"""Validates JSON columns, brings them to one form, and words the errors of JSON libraries."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from airtally.ingest.nested import Unreadable
from airtally.kit.sent_json import refuse_deep
from airtally.streams.declaration import Column

OUT_OF_RANGE = "number out of range"


def json_reader(column: Column) -> Callable[[Any], tuple[str | None, str | None]]:
    """A function from a JSON text (str or bytes) or a plain value to (canonical text, error), one of which is None."""
    decode = msgspec.json.Decoder(column.json).decode
    encode = msgspec.json.Encoder(order="sorted").encode

    def again(sent: Any) -> Any:
        """Decode what `decode` did not accept: a plain value, or a text that names a member twice."""
        return decode(each_once(sent)) if isinstance(sent, str | bytes) else _finite(msgspec.convert(sent, column.json))

    def read(sent: Any) -> tuple[str | None, str | None]:
        if sent is None:
            return None, None
        try:
            if isinstance(sent, str | bytes):
                refuse_deep(sent)
            try:
                value = decode(sent)
            except (msgspec.ValidationError, TypeError):
                value = again(sent)
            if _longest(value) > column.max_bytes:
                return None, f"longer than {column.max_bytes} bytes"
            return None if value is None else encode(value).decode(), None
        except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError, ValueError) as error:
            return None, sent.reason if isinstance(sent, Unreadable) else json_error(error)

    return read


_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def each_once(text: str | bytes) -> bytes:
    """A JSON text in which of each repeated member of an object only the last is left.

    Raises MsgspecError for other text.
    """
    text = text.encode() if isinstance(text, str) else text
    first = text.lstrip()[:1]
    if first == b"[":
        return b"[%s]" % b",".join(each_once(bytes(each)) for each in _elements(text))
    if first != b"{":
        return text
    members = ((name, each_once(bytes(value))) for name, value in _members(text).items())
    return b"{%s}" % b",".join(msgspec.json.encode(name) + b":" + value for name, value in members)


def _finite(value: Any) -> Any:
    """Returns the value. Raises OverflowError for NaN and infinity, which JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        raise OverflowError
    if isinstance(value, dict):
        _finite(list(value.values()))
    elif isinstance(value, msgspec.Struct):
        _finite(list(msgspec.structs.astuple(value)))
    elif isinstance(value, list):
        for each in value:
            _finite(each)
    return value


def _longest(value: Any) -> int:
    """The length in bytes of the longest text inside a value."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    if isinstance(value, dict):
        return max(map(_longest, (*value, *value.values())), default=0)
    if isinstance(value, msgspec.Struct):
        return max(map(_longest, msgspec.structs.astuple(value)), default=0)
    return max(map(_longest, value), default=0) if isinstance(value, list) else 0


_NAMES = {
    "int": "integer", "float": "number", "str": "string", "bool": "boolean",
    "bytes": "binary", "datetime": "time", "Timestamp": "time", "Timedelta": "duration",
}  # fmt: skip
_MEMBER = re.compile(r"Object (?:(missing required)|contains unknown) field `(.*?)`(?: - at|\Z)", re.DOTALL)
_EXPECTED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")


def json_error(error: Exception) -> str:
    """The error of a JSON library as we word it."""
    if isinstance(error, UnicodeDecodeError):
        return "invalid UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, OverflowError):
        return OUT_OF_RANGE
    said = str(error)
    return _in_our_words(said) if len(said) > 200 else _remembered(said)


def _in_our_words(said: str) -> str:
    if "out of range" in said or re.match(r"Expected `int` [<>]=", said):
        return OUT_OF_RANGE
    if found := _EXPECTED.match(said):
        wanted = [_NAMES.get(name, name) for name in found[1].split(" | ") if name != "null"]
        got = "number" if found[2] in {"int", "float"} else _NAMES.get(found[2], found[2])
        return f"expected {' or '.join(wanted)}, got {got}"
    if found := _MEMBER.match(said):
        return f"{'required' if found[1] else 'unknown field'}: {found[2][:128]}"
    said = said.partition(" - at ")[0].removeprefix("JSON is malformed: ")
    return f"not JSON: {'it ends too early' if said == 'Input data was truncated' else said}"[:200]


_remembered = lru_cache(1000)(_in_our_words)  # a body may be full of rows that are wrong in one way
