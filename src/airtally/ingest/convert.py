"""One column as it was sent to the type its stream declares, and which rows do not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kind

from airtally.ingest import times
from airtally.ingest.json_text import OUT_OF_RANGE, json_reader
from airtally.streams.declaration import Column, Type

Wrong = list[tuple[pa.Array, str]]
Converted = tuple[pa.Array, Wrong]

_INTEGER = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_MONEY = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?")
_MICRO = Decimal("0.000001")
_MONEY_LIMIT = Decimal(10) ** 12


def convert(column: Column, array: pa.Array) -> Converted:
    """The values in the column's type, null where null or wrong, and masks of the wrong rows with their reason."""
    wanted = column.type.arrow
    if array.type == wanted:
        if column.type in {Type.INT64, Type.TEXT}:
            return array, []
        if column.type is Type.DOUBLE:
            return _finite(array, [])
    if kind.is_null(array.type):
        return pa.nulls(len(array), wanted), []
    if kind.is_dictionary(array.type):
        array = array.dictionary_decode()
    return _CONVERT[column.type](column, array)


def matches(texts: pa.Array, pattern: str) -> pa.Array:
    """Which texts match an anchored pattern that RE2 and Python read alike; null for null."""
    if len(texts) < times.FEW:
        fits = compiled(pattern).search
        return pa.array([None if text is None else fits(text) is not None for text in texts.to_pylist()], pa.bool_())
    return pc.match_substring_regex(texts, pattern)


@lru_cache(256)
def compiled(pattern: str) -> re.Pattern[str]:
    """As RE2 has it: ASCII classes, and `$` is the end."""
    return re.compile(pattern.replace("$", r"\Z"), re.ASCII)


def kind_of(sent: pa.DataType) -> str:
    """A type's name in an error."""
    for is_kind, name in _KINDS:
        if is_kind(sent):
            return name
    return "array" if kind.is_nested(sent) else str(sent)


_KINDS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (kind.is_boolean, "boolean"),
    (kind.is_integer, "number"),
    (kind.is_floating, "number"),
    (kind.is_decimal, "number"),
    (kind.is_string, "string"),
    (kind.is_large_string, "string"),
    (kind.is_binary, "binary"),
    (kind.is_temporal, "time"),
    (kind.is_struct, "object"),
    (kind.is_map, "object"),
)


def _integers(_: Column, array: pa.Array) -> Converted:
    if kind.is_uint64(array.type):
        fits = pc.less_equal(array, pa.scalar(2**63 - 1, array.type))
        return _narrowed(array, pa.int64(), fits, OUT_OF_RANGE)
    if kind.is_integer(array.type):
        return pc.cast(array, pa.int64()), []
    if kind.is_floating(array.type) or kind.is_decimal(array.type):
        whole = pc.equal(pc.floor(array), array)
        inside = pc.and_(pc.greater_equal(array, -(2.0**63)), pc.less(array, 2.0**63))
        return _narrowed(array, pa.int64(), pc.and_(whole, inside), "expected integer, got number")
    if _is_text(array.type):
        return _read_texts(array, _INTEGER, int, pa.int64(), "expected integer, got string")
    return _all_wrong(array, pa.int64(), "integer")


def _doubles(_: Column, array: pa.Array) -> Converted:
    if kind.is_integer(array.type) or kind.is_floating(array.type) or kind.is_decimal(array.type):
        array = pc.cast(array, pa.float64(), safe=False)
    elif _is_text(array.type):
        array, wrong = _read_texts(array, _NUMBER, float, pa.float64(), "expected number, got string")
        return _finite(array, wrong)
    else:
        return _all_wrong(array, pa.float64(), "number")
    return _finite(array, [])


def _finite(array: pa.Array, wrong: Wrong) -> Converted:
    if len(array) < times.FEW and all(value is None or math.isfinite(value) for value in array.to_pylist()):
        return array, wrong
    finite = pc.is_finite(array)
    if pc.all(finite, min_count=0).as_py():
        return array, wrong
    return pc.if_else(finite, array, None), [*wrong, (pc.invert(finite), OUT_OF_RANGE)]


def _texts(_: Column, array: pa.Array) -> Converted:
    if _is_text(array.type):
        return pc.cast(array, pa.string()), []
    return _all_wrong(array, pa.string(), "string")


def _times(column: Column, array: pa.Array) -> Converted:
    local = column.type is Type.LOCAL_TIME
    if _is_text(array.type):
        parsed = times.parse_times(array if kind.is_string(array.type) else pc.cast(array, pa.string()), local=local)
        wrong = _lost(array, parsed, times.EXPECTED[local])
    elif kind.is_timestamp(array.type):
        if not local and array.type.tz is None:
            return _all_wrong(array, times.UTC_US, "a time with offset", "one without")
        if local and array.type.tz is not None:
            array = pc.local_timestamp(array)
        parsed = pc.cast(_cut_to_us(array), pa.timestamp("us", array.type.tz)).view(times.UTC_US)
        wrong = []
    else:
        return _all_wrong(array, times.UTC_US, "time")
    return _dated(parsed, wrong)


def _cut_to_us(array: pa.Array) -> pa.Array:
    if array.type.unit != "ns":
        return array
    return pc.floor_temporal(array, unit="microsecond") if array.type.tz is None else _cut_zoned(array)


def _cut_zoned(array: pa.Array) -> pa.Array:
    plain = pc.floor_temporal(array.view(pa.timestamp("ns")), unit="microsecond")
    return plain.view(array.type)


def _dated(parsed: pa.Array, wrong: Wrong) -> Converted:
    micros = parsed.view(pa.int64())
    if _all_dated(micros):
        return parsed, wrong
    inside = pc.and_(pc.greater_equal(micros, times.EARLIEST_US), pc.less(micros, times.LATEST_US))
    return pc.if_else(inside, parsed, None), [*wrong, (pc.invert(inside), "date out of range")]


def _all_dated(micros: pa.Array) -> bool:
    if len(micros) < times.FEW:
        return all(us is None or times.EARLIEST_US <= us < times.LATEST_US for us in micros.to_pylist())
    bounds = pc.min_max(micros).as_py()
    return bounds["min"] is None or (bounds["min"] >= times.EARLIEST_US and bounds["max"] < times.LATEST_US)


def _decimals(_: Column, array: pa.Array) -> Converted:
    if kind.is_integer(array.type) or kind.is_floating(array.type) or kind.is_decimal(array.type):
        array = pc.cast(array, pa.string())
    elif not _is_text(array.type):
        return _all_wrong(array, Type.DECIMAL.arrow, "number")
    texts, reasons = zip(*map(_money, array.to_pylist()), strict=True) if len(array) else ((), ())
    values = pc.cast(pa.array(texts, pa.string()), Type.DECIMAL.arrow)
    return values, _by_reason(reasons)


def _money(text: str | None) -> tuple[str | None, str | None]:
    if text is None or _MONEY.fullmatch(text):
        return text, None
    try:
        number = Decimal(text.strip('"'))
    except InvalidOperation:
        return None, f"expected number, got {_json_kind(text)}"
    if not number.is_finite() or abs(number) >= _MONEY_LIMIT:
        return None, OUT_OF_RANGE
    if number != number.quantize(_MICRO):
        return None, "expected at most 6 decimals"
    return format(number.quantize(_MICRO), "f"), None


def _json_kind(text: str) -> str:
    """What a JSON value that is no number is."""
    words = {"true": "boolean", "false": "boolean"}
    return words.get(text) or {"{": "object", "[": "array"}.get(text[:1], "string")


def _json(column: Column, array: pa.Array) -> Converted:
    reader = json_reader(column)
    texts, reasons = zip(*map(reader, array.to_pylist()), strict=True) if len(array) else ((), ())
    return pa.array(texts, pa.string()), _by_reason(reasons)


def _by_reason(reasons: Iterable[str | None]) -> Wrong:
    reasons = list(reasons)
    found = dict.fromkeys(reason for reason in reasons if reason is not None)
    return [(pa.array([each == reason for each in reasons], pa.bool_()), reason) for reason in found]


def _is_text(sent: pa.DataType) -> bool:
    return bool(kind.is_string(sent) or kind.is_large_string(sent))


def _narrowed(array: pa.Array, wanted: pa.DataType, fits: pa.Array, error: str) -> Converted:
    if pc.all(fits, min_count=0).as_py():
        return pc.cast(array, wanted), []
    return pc.cast(pc.if_else(fits, array, None), wanted), [(pc.invert(fits), error)]


def _read_texts(array: pa.Array, pattern: str, one: Callable[[str], Any], wanted: pa.DataType, error: str) -> Converted:
    """Numbers from text: at once where the library can, else one by one."""
    texts = pc.cast(array, pa.string())
    fits = matches(texts, pattern)
    texts = pc.if_else(fits, texts, None)
    wrong = [] if pc.all(fits, min_count=0).as_py() else [(pc.invert(fits), error)]
    try:
        return pc.cast(texts, wanted), wrong
    except pa.ArrowInvalid:
        values = [None if text is None else one(text[:400]) for text in texts.to_pylist()]
        big = [isinstance(value, int) and not -(2**63) <= value < 2**63 for value in values]
        kept = pa.array([None if out else value for value, out in zip(values, big, strict=True)], wanted)
        return kept, [*wrong, (pa.array(big), OUT_OF_RANGE)] if any(big) else wrong


def _lost(array: pa.Array, values: pa.Array, error: str) -> Wrong:
    """The rows that had a value and have none now."""
    if values.null_count == array.null_count:
        return []
    return [(pc.and_(pc.is_valid(array), pc.is_null(values)), error)]


def _all_wrong(array: pa.Array, wanted: pa.DataType, expected: str, got: str = "") -> Converted:
    error = f"expected {expected}, got {got or kind_of(array.type)}"
    return pa.nulls(len(array), wanted), [(pc.is_valid(array), error)]


_CONVERT: dict[Type, Callable[[Column, pa.Array], Converted]] = {
    Type.INT64: _integers,
    Type.DOUBLE: _doubles,
    Type.TEXT: _texts,
    Type.TIME: _times,
    Type.LOCAL_TIME: _times,
    Type.DECIMAL: _decimals,
    Type.JSON: _json,
}
