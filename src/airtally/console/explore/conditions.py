"""Rows of the filter: a column, an operator and a text, as conditions of the native API's filter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from airtally.streams.declaration import Type

#: Operators as the form has them, with their words. `not_in` and `not_null` are a `not` of the API's `in` and `is_null`.
OPERATORS: Mapping[str, str] = {
    "eq": "is",
    "ne": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "like": "is like",
    "gt": "is above",
    "ge": "is at least",
    "lt": "is below",
    "le": "is at most",
    "is_null": "has no value",
    "not_null": "has a value",
}
_NUMBERS = frozenset({Type.INT64, Type.DOUBLE, Type.DECIMAL})
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class FilterRow:
    """A row of the filter, as texts of the form."""

    column: str
    op: str = "eq"
    value: str = ""


def filter_of(rows: Sequence[FilterRow], match: str, kinds: Mapping[str, str]) -> dict[str, Any]:
    """The filter of the API: all rows, or with `match` "any" at least one. `kinds` are types by name of column."""
    conditions = [condition_of(each, kinds) for each in rows]
    if len(conditions) < 2:
        return conditions[0] if conditions else {}
    return {"or" if match == "any" else "and": conditions}


def condition_of(row: FilterRow, kinds: Mapping[str, str]) -> dict[str, Any]:
    """What cannot be read as the column's type stays a text, which the API refuses in words."""
    if row.op in {"is_null", "not_null"}:
        found: dict[str, Any] = {"column": row.column, "op": "is_null"}
        return found if row.op == "is_null" else {"not": found}
    if row.op in {"in", "not_in"}:
        values = [_typed_value(row.column, each, kinds) for each in _values_listed(row.value)]
        found = {"column": row.column, "op": "in", "value": values}
        return found if row.op == "in" else {"not": found}
    value = row.value if row.op == "like" else _typed_value(row.column, row.value, kinds)
    return {"column": row.column, "op": row.op, "value": value}


def _values_listed(text: str) -> list[Any]:
    """Separated by commas, or a list of JSON."""
    if text.lstrip().startswith("["):
        try:
            return msgspec.json.decode(text.encode(), type=list[str | int | float | bool])
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return [text]
    return [each.strip() for each in text.split(",") if each.strip()]


def _typed_value(column: str, value: Any, kinds: Mapping[str, str]) -> Any:
    """Of a member of a JSON column, `5` and `true` are what they are in JSON, and `"5"` is a text."""
    if not isinstance(value, str):
        return value
    kind = kinds.get(column)
    if kind is None:
        return _member_value(value)
    return _number_or_text(value.strip()) if kind in _NUMBERS else value


def _member_value(text: str) -> Any:
    if text in {"true", "false"}:
        return text == "true"
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return msgspec.json.decode(text.encode(), type=str)
        except (msgspec.MsgspecError, UnicodeError):
            return text
    return _number_or_text(text)


def _number_or_text(text: str) -> Any:
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
