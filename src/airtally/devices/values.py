"""Brings values of attributes and tags, as devices send them, to the form in which their type is stored.

docs/vendors/pushwoosh.md#9.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from airtally.accounts.declared import ValueType
from airtally.ingest.value_types import is_version
from airtally.streams.declaration import LONG_TEXT_BYTES

#: The most values of one list.
LIST_VALUES = 1000

#: A stored value, as JSON.
Value = str | int | float | bool | list[str]

_DIGITS = re.compile(r"-?[0-9]{1,19}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?")
_CENT = Decimal("0.01")
_LARGEST_PRICE = Decimal(10) ** 15
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def fitted(wanted: ValueType, sent: Any) -> Value | None:
    """The value as it is stored, or None if it does not fit the type.

    Dates are `YYYY-MM-DD HH:MM` UTC, prices have two decimals, lists hold each value once.
    """
    return _FITTED[wanted](sent)


def _integer(sent: Any) -> int | None:
    if (isinstance(sent, str) and _DIGITS.fullmatch(sent)) or (isinstance(sent, float) and sent.is_integer()):
        sent = int(sent)
    return sent if isinstance(sent, int) and _is_number(sent) and -(2**63) <= sent < 2**63 else None


def _string(sent: Any) -> str | None:
    if _is_number(sent):
        sent = str(sent)
    return sent if isinstance(sent, str) and len(sent.encode()) <= LONG_TEXT_BYTES and "\0" not in sent else None


def _list(sent: Any) -> list[str] | None:
    if not isinstance(sent, list) or len(sent) > LIST_VALUES:
        return None
    values = [_string(each) for each in sent]
    return None if None in values else list(dict.fromkeys(values))  # type: ignore[arg-type]


def _date(sent: Any) -> str | None:
    try:
        if isinstance(sent, str) and _DATE.fullmatch(sent):
            moment = datetime.fromisoformat(sent)
        else:
            seconds = _integer(sent)
            if seconds is None or seconds < 0:
                return None
            moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.strftime("%Y-%m-%d %H:%M") if moment.year >= 1000 else None


def _boolean(sent: Any) -> bool | None:
    if isinstance(sent, str):
        return _BOOLEANS.get(sent.lower())
    return bool(sent) if isinstance(sent, int | float) and sent in {0, 1} else None


def _price(sent: Any) -> float | None:
    if not _is_number(sent) and not (isinstance(sent, str) and len(sent) <= 32):
        return None
    try:
        price = Decimal(str(sent))
    except InvalidOperation:
        return None
    if not price.is_finite() or abs(price) >= _LARGEST_PRICE:
        return None
    return float(price.quantize(_CENT, ROUND_HALF_UP))


def _version(sent: Any) -> str | None:
    text = _string(sent)
    return text if text is not None and is_version(text) else None


def _is_number(sent: Any) -> bool:
    return isinstance(sent, int | float) and not isinstance(sent, bool)


_FITTED: dict[ValueType, Callable[[Any], Value | None]] = {
    ValueType.INTEGER: _integer,
    ValueType.STRING: _string,
    ValueType.LIST: _list,
    ValueType.DATE: _date,
    ValueType.BOOLEAN: _boolean,
    ValueType.PRICE: _price,
    ValueType.VERSION: _version,
}
