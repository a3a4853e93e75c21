"""Converts a column as sent to its declared type, and marks the rows that do not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kind

from airtally.ingest import times
from airtally.ingest.convert_times import convert_times
from airtally.ingest.json_text import OUT_OF_RANGE, json_reader
from airtally.ingest.kinds import Converted, Wrong, all_wrong, is_text, lost, with_nulls
from airtally.ingest.nested import json_values
from airtally.streams.declaration import Column, Type

_INTEGER = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
#: As the library reads it at once.
_USUAL_MONEY = r"^-?[0-9]{1,12}(?:\.[0-9]{1,6})?$"
_MONEY = re.compile(_USUAL_MONEY.replace("$", r"\Z"))
_ONE_NUMBER = re.compile(_NUMBER.replace("$", r"\Z"))
_NO_NUMBER = re.compile(r"[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)
#: Larger exponents make no difference to money, and the library does not read all of them.
_EXPONENT_MAX = 10_000_000
_MICRO = Decimal("0.000001")
_MONEY_LIMIT = Decimal(10) ** 12


def convert(column: Column, array: pa.Array) -> Converted:
    """The values in the column's type, null if null or wrong, and masks of the wrong rows with their reasons."""
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
    if kind.is_float16(array.type):
        array = pc.cast(array, pa.float32())
    return _CONVERT[column.type](column, array)


def matches(texts: pa.Array, pattern: str) -> pa.Array:
    """Which texts match an anchored pattern that RE2 and Python understand alike; null for null."""
    if len(texts) < times.FEW:
        fits = compiled(pattern).search
        return pa.array([None if text is None else fits(text) is not None for text in texts.to_pylist()], pa.bool_())
    return pc.match_substring_regex(texts, pattern)


@lru_cache(256)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern compiled to match as RE2 does: ASCII classes, and `$` matches only at the end."""
    return re.compile(pattern.replace("$", r"\Z"), re.ASCII)


def _integers(_: Column, array: pa.Array) -> Converted:
    if kind.is_uint64(array.type):
        return _narrowed(array, pc.less_equal(array, pa.scalar(2**63 - 1, array.type)), OUT_OF_RANGE)
    if kind.is_integer(array.type):
        return pc.cast(array, pa.int64()), []
    if kind.is_floating(array.type):
        whole = pc.equal(pc.floor(array), array)
        inside = pc.and_(pc.greater_equal(array, -(2.0**63)), pc.less(array, 2.0**63))
        return _narrowed(array, pc.and_(whole, inside), "expected integer, got number")
    if kind.is_decimal(array.type):
        return _whole_decimals(array)
    if is_text(array.type):
        return _read_texts(array, _INTEGER, _integer, pa.int64(), "expected integer, got string")
    return all_wrong(array, pa.int64(), "integer")


def _whole_decimals(array: pa.Array) -> Converted:
    try:
        return pc.cast(array, pa.int64()), []
    except pa.ArrowInvalid:  # one of them does not fit
        numbers, reasons = zip(*map(_whole_number, array.to_pylist()), strict=True)
        return pa.array(numbers, pa.int64()), _by_reason(reasons)


def _whole_number(number: Decimal | None) -> tuple[int | None, str | None]:
    if number is None:
        return None, None
    if number != number.to_integral_value():
        return None, "expected integer, got number"
    return (int(number), None) if -(2**63) <= number < 2**63 else (None, OUT_OF_RANGE)


def _doubles(_: Column, array: pa.Array) -> Converted:
    if kind.is_integer(array.type) or kind.is_floating(array.type) or kind.is_decimal(array.type):
        return _finite(pc.cast(array, pa.float64(), safe=False), [])
    if is_text(array.type):
        return _finite(*_read_texts(array, _NUMBER, float, pa.float64(), "expected number, got string"))
    return all_wrong(array, pa.float64(), "number")


def _finite(array: pa.Array, wrong: Wrong) -> Converted:
    if len(array) < times.FEW and all(value is None or math.isfinite(value) for value in array.to_pylist()):
        return array, wrong
    finite = pc.is_finite(array)
    if pc.all(finite, min_count=0).as_py():
        return array, wrong
    values, infinite = with_nulls(array, finite, OUT_OF_RANGE)
    return values, [*wrong, *infinite]


def _convert_texts(_: Column, array: pa.Array) -> Converted:
    if is_text(array.type):
        return pc.cast(array, pa.string()), []
    return all_wrong(array, pa.string(), "string")


def _decimals(_: Column, array: pa.Array) -> Converted:
    infinite: Wrong = []
    if kind.is_floating(array.type):
        array, infinite = _finite(array, [])
    if kind.is_integer(array.type) or kind.is_floating(array.type) or kind.is_decimal(array.type):
        array = pc.cast(array, pa.string())
    elif not is_text(array.type):
        return all_wrong(array, Type.DECIMAL.arrow, "number")
    if pc.all(matches(array, _USUAL_MONEY), min_count=0).as_py():
        return pc.cast(pc.cast(array, pa.string()), Type.DECIMAL.arrow), infinite
    texts, reasons = zip(*map(_money, array.to_pylist()), strict=True) if len(array) else ((), ())
    values = pc.cast(pa.array(texts, pa.string()), Type.DECIMAL.arrow)
    return values, [*infinite, *_by_reason(reasons)]


def _money(text: str | None) -> tuple[str | None, str | None]:
    """The number in a form that the library reads, or why it is none. Only ASCII digits count."""
    if text is None or _MONEY.match(text):
        return text, None
    if _NO_NUMBER.fullmatch(text):
        return None, OUT_OF_RANGE
    if not _ONE_NUMBER.match(text):
        return None, f"expected number, got {_json_kind(text)}"
    number = _parse_decimal(text)
    if number.copy_abs() >= _MONEY_LIMIT:
        return None, OUT_OF_RANGE
    if number != number.quantize(_MICRO):
        return None, "expected at most 6 decimals"
    return format(number.quantize(_MICRO), "f"), None


def _parse_decimal(text: str) -> Decimal:
    digits, _, exponent = text.lower().partition("e")
    if len(exponent.lstrip("+-0")) <= 7:
        return Decimal(text)
    return Decimal(f"{digits}e{'-' if exponent.startswith('-') else ''}{_EXPONENT_MAX}")


def _json_kind(text: str) -> str:
    """The name of the type of a JSON value that is no number."""
    words = {"true": "boolean", "false": "boolean"}
    return words.get(text) or {"{": "object", "[": "array"}.get(text[:1], "string")


def _convert_json(column: Column, array: pa.Array) -> Converted:
    reader = json_reader(column)
    if len(array) >= times.FEW and (is_text(array.type) or kind.is_binary(array.type)):
        return _each_distinct(array, reader)
    texts, reasons = zip(*map(reader, json_values(array)), strict=True) if len(array) else ((), ())
    return pa.array(texts, pa.string()), _by_reason(reasons)


def _each_distinct(array: pa.Array, read: Callable[[Any], tuple[str | None, str | None]]) -> Converted:
    """The canonical texts of JSON texts, each of which is read once."""
    encoded = pc.dictionary_encode(array)
    if not len(encoded.dictionary):
        return pa.nulls(len(array), pa.string()), []
    texts, reasons = zip(*map(read, json_values(encoded.dictionary)), strict=True)
    wrong = [(mask.take(encoded.indices), reason) for mask, reason in _by_reason(reasons)]
    return pa.array(texts, pa.string()).take(encoded.indices), wrong


def _by_reason(reasons: Iterable[str | None]) -> Wrong:
    reasons = list(reasons)
    found = dict.fromkeys(reason for reason in reasons if reason is not None)
    return [(pa.array([each == reason for each in reasons], pa.bool_()), reason) for reason in found]


def _narrowed(array: pa.Array, fits: pa.Array, error: str) -> Converted:
    if pc.all(fits, min_count=0).as_py():
        return pc.cast(array, pa.int64()), []
    values, wrong = with_nulls(array, fits, error)
    return pc.cast(values, pa.int64()), wrong


def _read_texts(array: pa.Array, pattern: str, one: Callable[[str], Any], wanted: pa.DataType, error: str) -> Converted:
    """Numbers from text, by the library if it can, else one by one; `one` returns None beyond the range."""
    texts = pc.cast(array, pa.string())
    fits = matches(texts, pattern)
    texts = pc.if_else(fits, texts, None)
    wrong = [] if pc.all(fits, min_count=0).as_py() else [(pc.invert(fits), error)]
    try:
        return pc.cast(texts, wanted), wrong
    except pa.ArrowInvalid:
        values = [None if text is None else one(text) for text in texts.to_pylist()]
        kept = pa.array(values, wanted)
        return kept, [*wrong, *lost(texts, kept, OUT_OF_RANGE)]


def _integer(text: str) -> int | None:
    """An integer of any number of digits; `int` itself reads at most 4,300, including leading zeros."""
    digits = text.lstrip("+-").lstrip("0")
    if len(digits) > 19:
        return None
    number = int(digits or "0")
    number = -number if text.startswith("-") else number
    return number if -(2**63) <= number < 2**63 else None


_CONVERT: dict[Type, Callable[[Column, pa.Array], Converted]] = {
    Type.INT64: _integers,
    Type.DOUBLE: _doubles,
    Type.TEXT: _convert_texts,
    Type.TIME: convert_times,
    Type.LOCAL_TIME: convert_times,
    Type.DECIMAL: _decimals,
    Type.JSON: _convert_json,
}
