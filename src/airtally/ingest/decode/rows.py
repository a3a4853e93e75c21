"""Decodes JSON objects into columns, by a decoder made from the stream's declaration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Any

import msgspec
import pyarrow as pa

from airtally.ingest.json_text import json_error
from airtally.ingest.row_errors import Reason
from airtally.ingest.validate import shortened
from airtally.kit.cache import Cache
from airtally.streams.declaration import Column, Stream, Type

_NULL = b"null"
#: Takes the place of a reason for a blank line.
BLANK: Reason = (None, "blank")
#: The library's error for a blank line, among others.
_CUT_SHORT = "Input data was truncated"
#: Each codec remembers the reasons of this many errors: a body may be full of rows with the same error.
_REMEMBERED = 1000
_encode = msgspec.json.Encoder().encode
_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_PYTHON: dict[Type, Any] = {Type.INT64: _INT64 | None, Type.DOUBLE: float | None}

#: The exceptions of decoding an object.
WRONG = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Codec:
    """Decodes the rows of one stream. Thread-safe: a decoder has no state, and `_reasons` only gains equal values."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        fields = [(column.name, *_field(column)) for column in stream.columns]
        # fields are in declared order and optional: whether a value is required is checked later
        struct = msgspec.defstruct("Row", fields, forbid_unknown_fields=True, gc=False)
        self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(struct).decode

        raw = [(column.name, msgspec.Raw, msgspec.Raw(_NULL)) for column in stream.columns]
        each_once = msgspec.defstruct("Once", raw, forbid_unknown_fields=True, gc=False)
        self._once: Callable[[bytes], Any] = msgspec.json.Decoder(each_once).decode

        self._reasons: dict[str, tuple[Reason, bytes | None]] = {}

    def second_look(self, line: bytes, error: Exception, rows: list[Any]) -> Reason | None:
        """Why a line is wrong for which `decode` raised `error`; BLANK if it is blank.

        None if it is valid after all, and its row was added to `rows`: the wrong field is repeated, and the last
        value is valid.
        """
        said = str(error)
        reason, name = self._reasons.get(said) or self._explained(said, error)
        if name is None:
            return BLANK if said == _CUT_SHORT and (not line or line.isspace()) else reason
        if line.count(name) < 2 and b"\\" not in line:
            return reason
        try:
            rows.append(self.decode(_encode(self._once(line))))
        except msgspec.ValidationError as last:
            return explain(last)
        except WRONG:
            return reason
        return None

    def _explained(self, said: str, error: Exception) -> tuple[Reason, bytes | None]:
        """The reason, and the wrong field's name as it is written in a line."""
        reason = explain(error)
        found = reason, None if reason[0] is None else b'"%s"' % reason[0].encode()
        if len(self._reasons) < _REMEMBERED and len(said) <= 200:
            self._reasons[said] = found
        return found

    def reason(self, line: bytes) -> Reason:
        """Why a line is refused."""
        try:
            self.decode(line)
        except WRONG as error:
            return self.second_look(line, error, []) or BLANK
        return BLANK

    def columns(self, rows: Iterable[Any]) -> list[pa.Array]:
        """Arrays in declared order, of at least one row."""
        values = zip(*map(msgspec.structs.astuple, rows), strict=True)
        return [_array(column, each) for column, each in zip(self.stream.columns, values, strict=True)]


_CODECS: Cache[str, Codec] = Cache(100)


def codec(stream: Stream) -> Codec:
    """The decoder of a stream, which is cached."""
    found = _CODECS.get(stream.name)
    if found is None or found.stream is not stream:
        found = Codec(stream)
        _CODECS.put(stream.name, found)
    return found


def explain(error: Exception) -> Reason:
    """The field and the reason, from an exception of decoding an object."""
    if not isinstance(error, msgspec.ValidationError):
        return None, json_error(error)
    said = str(error)
    if len(said) <= 200:
        return _explained(said)
    if said.startswith(_UNKNOWN):
        return shortened(said[len(_UNKNOWN) : -1]), "unknown field"
    return None, json_error(error)


_UNKNOWN = "Object contains unknown field `"
_PATH = re.compile(r" - at `\$\.([A-Za-z0-9_]+)")


@lru_cache(1000)
def _explained(said: str) -> Reason:
    if said.startswith(_UNKNOWN):
        return shortened(said[len(_UNKNOWN) : -1]), "unknown field"
    path = _PATH.search(said)
    return path[1] if path else None, json_error(msgspec.ValidationError(said))


def _field(column: Column) -> tuple[Any, Any]:
    if column.type in {Type.DECIMAL, Type.JSON}:
        return msgspec.Raw, msgspec.Raw(_NULL)
    return _PYTHON.get(column.type, str | None), None


def _array(column: Column, values: Sequence[Any]) -> pa.Array:
    if column.type is Type.JSON:
        return pa.array([None if value == _NULL else value for value in map(bytes, values)], pa.binary())
    if column.type is Type.DECIMAL:
        return pa.array([_decimal_text(bytes(value)) for value in values], pa.string())
    return pa.array(values, _WIRE.get(column.type, pa.string()))


_WIRE = {Type.INT64: pa.int64(), Type.DOUBLE: pa.float64()}


def _decimal_text(raw: bytes) -> str | None:
    """The text of a JSON number or string; other values are left as they are and fail the check."""
    if raw == _NULL:
        return None
    if raw[:1] == b'"':
        try:
            return msgspec.json.decode(raw, type=str)
        except WRONG:
            return '"'
    return raw.decode(errors="replace")
