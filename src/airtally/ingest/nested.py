"""Values of Arrow columns as JSON has them, one by one: what cannot be read costs its own row only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as kind

_Shape = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a value that Python cannot hold."""

    reason: str


def json_values(array: pa.Array) -> list[Any]:
    """Objects for structs (without null members) and maps, numbers for decimals; `Unreadable` for what is none."""
    shape = _shape(array.type)
    values = plain_values(array)
    if shape is None:
        return values
    return [value if value is None or isinstance(value, Unreadable) else shape(value) for value in values]


def plain_values(array: pa.Array) -> list[Any]:
    """Python values; a year, a duration or bytes that Python cannot hold are `Unreadable`."""
    try:
        values: list[Any] = array.to_pylist()
    except _UNREADABLE:
        return [_one(array, row) for row in range(len(array))]
    return values


# Years beyond 9999, nanoseconds, zones that are not known; members of one name in an object.
_UNREADABLE = (OverflowError, ValueError, KeyError, pa.ArrowException)


def _one(array: pa.Array, row: int) -> Any:
    try:
        return array[row].as_py()
    except UnicodeDecodeError:
        return Unreadable("invalid UTF-8")
    except _UNREADABLE:
        return Unreadable("holds a value that JSON cannot hold")


def _shape(sent: pa.DataType) -> _Shape | None:
    """What brings a Python value of a type into JSON's form; None where it has it already."""
    if kind.is_decimal(sent):
        return _json_number
    if kind.is_struct(sent):
        return _object({field.name: _shape(field.type) for field in sent})
    if kind.is_map(sent):
        item = _shape(sent.item_type) or _as_it_is
        return lambda pairs: {key: item(value) for key, value in pairs if value is not None}
    if kind.is_list(sent) or kind.is_large_list(sent) or kind.is_fixed_size_list(sent):
        element = _shape(sent.value_type)
        return None if element is None else lambda values: [None if each is None else element(each) for each in values]
    return _of_any_type if kind.is_union(sent) else None


def _object(shapes: dict[str, _Shape | None]) -> _Shape:
    members = {name: shape or _as_it_is for name, shape in shapes.items()}
    return lambda value: {name: members[name](each) for name, each in value.items() if each is not None}


def _of_any_type(value: Any) -> Any:
    """A union does not say of which of its types a value is."""
    if isinstance(value, Decimal):
        return _json_number(value)
    if isinstance(value, dict):
        return {name: _of_any_type(each) for name, each in value.items() if each is not None}
    if isinstance(value, list) and value and all(isinstance(each, tuple) for each in value):
        return {name: _of_any_type(each) for name, each in value if each is not None}
    return [_of_any_type(each) for each in value] if isinstance(value, list) else value


def _json_number(value: Decimal) -> int | float:
    exponent = value.as_tuple().exponent
    return int(value) if isinstance(exponent, int) and exponent >= 0 else float(value)


def _as_it_is(value: Any) -> Any:
    return value
