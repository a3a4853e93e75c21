"""Checks values against the declared types of attributes and tags. Rows are stored as sent, so nothing is converted: a
value has the form of its type or is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from airtally.accounts.declared import ValueType
from airtally.ingest.json_text import OUT_OF_RANGE

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*(?:[-+.][0-9A-Za-z.+-]*)?")

_INFERRED = {
    bool: ValueType.BOOLEAN,
    int: ValueType.INTEGER,
    float: ValueType.PRICE,
    list: ValueType.LIST,
    str: ValueType.STRING,
}
_GOT = {bool: "boolean", int: "number", float: "number", list: "array", str: "string"}
_EXPECTED = {
    ValueType.INTEGER: "integer",
    ValueType.STRING: "string",
    ValueType.LIST: "list of strings",
    ValueType.DATE: "a date such as 2026-03-10 00:05",
    ValueType.BOOLEAN: "boolean",
    ValueType.PRICE: "number",
    ValueType.VERSION: "a version such as 1.10.2",
}


def inferred(value: Any) -> ValueType:
    """The type as which an undeclared value is declared; a number with a fraction is a price."""
    return _INFERRED[type(value)]


def fits(wanted: ValueType, value: Any) -> bool:
    """Whether a JSON value, other than null and objects, has the type."""
    return _FITS[wanted](value)


def misfit(wanted: ValueType, value: Any) -> str:
    """The error for a value that does not have the type."""
    if wanted is ValueType.INTEGER and type(value) is int:
        return OUT_OF_RANGE
    expected = _EXPECTED[wanted]
    texts = isinstance(value, str) and wanted in {ValueType.DATE, ValueType.VERSION}
    return f"expected {expected}" if texts else f"expected {expected}, got {_GOT[type(value)]}"


def is_date(text: str) -> bool:
    """Whether a text is `YYYY-MM-DD HH:MM` of an existing day."""
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_version(text: str) -> bool:
    return _VERSION.fullmatch(text) is not None


_FITS: dict[ValueType, Callable[[Any], bool]] = {
    ValueType.INTEGER: lambda value: type(value) is int and -(2**63) <= value < 2**63,
    ValueType.STRING: lambda value: type(value) is str,
    ValueType.LIST: lambda value: type(value) is list,
    ValueType.DATE: lambda value: type(value) is str and is_date(value),
    ValueType.BOOLEAN: lambda value: type(value) is bool,
    ValueType.PRICE: lambda value: type(value) is float or type(value) is int,
    ValueType.VERSION: lambda value: type(value) is str and is_version(value),
}
