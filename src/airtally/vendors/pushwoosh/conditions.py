"""Conditions on an event's attributes: operators, and what values of each type may be.

docs/vendors/pushwoosh.md#4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from airtally.accounts.declared import ValueType
from airtally.kit.time import SECOND_US, to_datetime
from airtally.statistics.asked import Condition, Operator, Value
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.dates import moment
from airtally.vendors.pushwoosh.errors import Fault

_PRESENCE = frozenset({Operator.NOTSET, Operator.ANY})
_ONE_OF = frozenset({Operator.EQ, Operator.NOTEQ, Operator.IN, Operator.NOTIN})
_ORDERED = _ONE_OF | {Operator.GTE, Operator.LTE, Operator.BETWEEN}
_OPERATORS: Mapping[ValueType, frozenset[Operator]] = {
    ValueType.INTEGER: _ORDERED,
    ValueType.STRING: _ONE_OF,
    ValueType.LIST: frozenset({Operator.IN, Operator.EQ}),
    ValueType.DATE: _ORDERED,
    ValueType.BOOLEAN: frozenset({Operator.EQ}),
    ValueType.PRICE: _ORDERED,
    ValueType.VERSION: _ONE_OF,
}
_COUNTS = {Operator.GTE: 1, Operator.LTE: 1, Operator.BETWEEN: 2}

#: What "N days ago" may be compared by.
_RELATIVE = frozenset({Operator.EQ, Operator.GTE, Operator.LTE, Operator.BETWEEN})
_DAYS_AGO = re.compile(r"([0-9]{1,6}) days ago")
_DIGITS = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]{1,36}(?:\.[0-9]{1,40})?")
_INT64 = 1 << 63
#: What the statistics compare exactly.
_MOST_PRICE = Decimal(10) ** 36
_EXACT = Context(prec=100)
_CENT = Decimal("0.01")


def entries(attributes: object) -> list[Mapping[str, Any]]:
    """The objects of the list; anything else in it is as an object without a name. Raises Fault."""
    if attributes is None:
        return []
    if not isinstance(attributes, list):
        raise Fault(CHOICES.attributes_no_array)
    if len(attributes) > CHOICES.most_conditions:
        raise Fault(CHOICES.too_many_attributes)
    return [each if isinstance(each, dict) else {} for each in attributes]


def condition(entry: Mapping[str, Any], declared: Mapping[str, ValueType], now_us: int) -> Condition:
    """Raises Fault for what cannot be asked of the attribute."""
    name = entry.get("name")
    kind = declared.get(name) if isinstance(name, str) else None
    if not isinstance(name, str) or kind is None:
        raise Fault(CHOICES.attribute_not_found)
    operator = _operator(entry.get("operator"), kind)
    return Condition(name, kind, operator, _values(entry.get("values"), kind, operator, now_us))


def _operator(name: object, kind: ValueType) -> Operator:
    upper = name.upper() if isinstance(name, str) and name.isascii() else ""
    if upper not in _OPERATORS[kind] | _PRESENCE:
        raise Fault(CHOICES.unknown_operator)
    return Operator(upper)


def _values(values: object, kind: ValueType, operator: Operator, now_us: int) -> tuple[Value, ...]:
    if operator in _PRESENCE:
        return ()
    wanted = _COUNTS.get(operator)
    if not isinstance(values, list) or not values or wanted not in {None, len(values)}:
        raise Fault(CHOICES.bad_values)
    try:
        if kind is ValueType.DATE:
            return tuple(_date(value, operator, now_us) for value in values)
        return tuple(Value(text, text) for text in map(_TEXTS[kind], values))
    except (TypeError, ValueError, OverflowError):
        raise Fault(CHOICES.bad_values) from None


def _integer(value: object) -> str:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 < value < _INT64:
        raise ValueError("no integer")
    return str(value)


def _string(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("no text")
    return str(value)


def _boolean(value: object) -> str:
    text = value.lower() if isinstance(value, str) and value.isascii() else None
    if text in {"true", "false"}:
        return str(text)
    if not isinstance(value, int) or value not in {0, 1}:  # True and False are 1 and 0
        raise ValueError("no boolean")
    return "true" if value else "false"


def _price(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("no number")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("no number")
    number = Decimal(str(value))
    if not abs(number) < _MOST_PRICE:
        raise ValueError("out of range")
    return format(number.quantize(_CENT, ROUND_HALF_UP, _EXACT), "f")


_TEXTS: Mapping[ValueType, Callable[[object], str]] = {
    ValueType.INTEGER: _integer,
    ValueType.STRING: _string,
    ValueType.LIST: _string,
    ValueType.BOOLEAN: _boolean,
    ValueType.PRICE: _price,
    ValueType.VERSION: _string,
}


def _date(value: object, operator: Operator, now_us: int) -> Value:
    """A moment is cut to its minute, as it is where it is stored; a day is all of its minutes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _minute(to_datetime(value * SECOND_US))
    if not isinstance(value, str):
        raise TypeError("no date")
    ago = _DAYS_AGO.fullmatch(value)
    if ago is not None:
        if operator not in _RELATIVE:
            raise ValueError("no fixed date")
        return _day(to_datetime(now_us) - timedelta(days=int(ago[1])))
    found, timed = moment(value)
    return _minute(found) if timed else _day(found)


def _minute(found: datetime) -> Value:
    text = found.isoformat(" ", "minutes")[:16]
    return Value(text, text)


def _day(found: datetime) -> Value:
    day = found.date().isoformat()
    return Value(f"{day} 00:00", f"{day} 23:59")
