"""Arrow arrays of every type there is, of edge values, and some whose buffers lie."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from fuzz.chance import Chance
from fuzz.values import TEXTS

_WHOLE = (0, 1, -1, 127, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 7)
_FLOATS = (0.0, -0.0, 0.5, 1.0, float("nan"), float("inf"), -float("inf"), 1e308, 5e-324, 2.0**63, 1e19)
_TICKS = (0, -1, 2**62, -(2**63), 2**63 - 1, 1_795_132_800, 1_795_132_800_000, 1_795_132_800_000_000, 86_400_000_000)
_ZONES = (None, "UTC", "America/Sao_Paulo", "+05:45", "Mars/Olympus", "", "utc", "-99:00", "a" * 400, "\0")


def odd_array(chance: Chance, count: int) -> pa.Array:
    """Of `count` values, some of them null."""
    return chance.choice(_MAKERS)(chance, count)


def _values(chance: Chance, pool: Any, count: int) -> list[Any]:
    few = [None if chance.one_in(6) else chance.choice(pool) for _ in range(min(count, 12))]
    return [few[at % len(few)] for at in range(count)]


def _integers(chance: Chance, count: int) -> pa.Array:
    bits = chance.of(8, 16, 32, 64)
    signed = chance.of(True, False)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    pool = [low, high, *(value for value in _WHOLE if low <= value <= high)]
    return pa.array(_values(chance, pool, count), getattr(pa, f"{'' if signed else 'u'}int{bits}")())


def _floats(chance: Chance, count: int) -> pa.Array:
    kind = chance.of(np.float16, np.float32, np.float64)
    with np.errstate(over="ignore"):
        return pa.array(np.array([chance.choice(_FLOATS) for _ in range(count)], np.float64).astype(kind))


def _decimals(chance: Chance, count: int) -> pa.Array:
    pool = [Decimal(1), Decimal("-0.000001"), Decimal(10) ** 17, Decimal(0), Decimal("99999999999999.999999")]
    return pa.array(
        _values(chance, pool, count), chance.of(pa.decimal128(38, 6), pa.decimal256(76, 6), pa.decimal128(38, 20))
    )


def _texts(chance: Chance, count: int) -> pa.Array:
    kind = chance.of(pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view())
    return pa.array(_values(chance, TEXTS, count), kind)


def _bad_utf8(chance: Chance, count: int) -> pa.Array:
    """Bytes that are no UTF-8 in a column that says it holds text."""
    pool = [b"\xff", b"\xc3", b"\xed\xa0\x80", b"ok", b"\xf4\x90\x80\x80", b"a" * 300 + b"\xe2\x82"]
    made = pa.array(_values(chance, pool, count), pa.binary())
    return pa.Array.from_buffers(pa.string(), len(made), made.buffers())


def _fixed(chance: Chance, count: int) -> pa.Array:
    return pa.array(_values(chance, [b"abcd", b"\xff\xff\xff\xff"], count), pa.binary(4))


def _times(chance: Chance, count: int) -> pa.Array:
    kind = chance.of(
        pa.timestamp(chance.of("s", "ms", "us", "ns"), chance.choice(_ZONES)),
        pa.duration("us"),
        pa.time64("us"),
        pa.date64(),
    )
    return pa.array(_values(chance, _TICKS, count), pa.int64()).view(kind)


def _days(chance: Chance, count: int) -> pa.Array:
    kind = chance.of(pa.date32(), pa.time32("s"))
    return pa.array(_values(chance, [0, -1, 2**31 - 1, -(2**31), 20_700], count), pa.int32()).view(kind)


def _intervals(chance: Chance, count: int) -> pa.Array:
    return pa.array([pa.MonthDayNano([1, 2, chance.randrange(9)])] * count, pa.month_day_nano_interval())


def _booleans(chance: Chance, count: int) -> pa.Array:
    return pa.array(_values(chance, [True, False], count), pa.bool_())


def _nulls(_: Chance, count: int) -> pa.Array:
    return pa.nulls(count)


def _lists(chance: Chance, count: int) -> pa.Array:
    inside = chance.of(
        pa.string(), pa.int64(), pa.list_(pa.float64()), pa.struct([("id", pa.int64()), ("name", pa.string())])
    )
    pools: dict[Any, Any] = {pa.string(): [["a"], [], ["b", None]], pa.int64(): [[1, 2], []]}
    pool = pools.get(inside, [[], None])
    if count == 0 or chance.one_in(2):
        return pa.array(_values(chance, pool, count), chance.of(pa.list_, pa.large_list)(inside))
    return pa.array([[None, None]] * count, chance.of(pa.list_(inside, 2), pa.list_view(inside)))


def _structs(chance: Chance, count: int) -> pa.Array:
    pool = [{"id": 1, "name": "x"}, {"id": None, "name": None}, None]
    if chance.one_in(2):
        pool = [{"source": "a", "items": 1, "n": float("nan")}]
    return pa.array(_values(chance, pool, count)) if count else pa.nulls(0)


def _maps(chance: Chance, count: int) -> pa.Array:
    return pa.array(_values(chance, [[("a", 1), ("a", 2)], []], count), pa.map_(pa.string(), pa.int64()))


def _deep(chance: Chance, count: int) -> pa.Array:
    kind, value = pa.int64(), None
    for _ in range(chance.of(3, 30, 60)):
        kind = pa.list_(kind)
    return pa.array([value] * count, kind)


def _dictionaries(chance: Chance, count: int) -> pa.Array:
    values = chance.of(
        pa.array(["a", None, "\0"]),
        pa.array([1, 2, None]),
        pa.array([b"\xff", b"b", None]),
        pa.array([0, 1, None], pa.timestamp("us", "UTC")),
    )
    return pa.DictionaryArray.from_arrays(pa.array(_values(chance, [0, 1, 2], count), pa.int8()), values)


def _runs(chance: Chance, count: int) -> pa.Array:
    return (
        pa.RunEndEncodedArray.from_arrays(pa.array([count], pa.int32()), pa.array([chance.choice(_WHOLE)]))
        if count
        else pa.nulls(0)
    )


def _unions(_: Chance, count: int) -> pa.Array:
    types = pa.array([at % 2 for at in range(count)], pa.int8())
    return pa.UnionArray.from_sparse(types, [pa.array([1] * count, pa.int64()), pa.array(["a"] * count)])


def _days_as_objects(chance: Chance, count: int) -> pa.Array:
    return pa.array(_values(chance, [date(1, 1, 1), date(9999, 12, 31), date(2026, 1, 1)], count), pa.date32())


_MAKERS: tuple[Callable[[Chance, int], pa.Array], ...] = (
    _integers, _integers, _floats, _decimals, _texts, _texts, _bad_utf8, _fixed, _times, _times, _times, _days, _intervals, _booleans, _nulls, _lists, _structs,
    _maps, _deep, _dictionaries, _dictionaries, _runs, _unions, _days_as_objects,
)  # fmt: skip
