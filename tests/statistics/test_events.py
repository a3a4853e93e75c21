"""Counts by hour equal a naive count, wherever the rows lie."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.accounts.accounts import Account
from airtally.accounts.declared import ValueType
from airtally.engine.protocol import Engine
from airtally.kit.time import day_start_us
from airtally.query.service import Queries
from airtally.statistics.asked import Condition, EventStatistics, Operator, Value, asked_of, kept
from airtally.statistics.events import HOUR_US, count_events
from airtally.streams import APP_EVENTS
from fixtures.snapshots import HandMade

START = day_start_us(date(2026, 3, 10))
ACCOUNT = Account(1, "acme", "Acme", "America/Sao_Paulo", "BRL")
TEXTS, NUMBERS, PRICES = ["", "a", "A", "é;\"\\'"], [-1, 0, 7, 1 << 62], ["-0.01", "0.00", "12.50"]
DATES = ["2026-03-09 23:59", "2026-03-10 00:00", "2026-03-10 23:59"]
DAYS = [("2026-03-09 00:00", "2026-03-09 23:59"), ("2026-03-10 00:00", "2026-03-10 23:59")]

attributes = st.fixed_dictionaries(
    {},
    optional={
        "text": st.sampled_from(TEXTS),
        "number": st.sampled_from(NUMBERS),
        "price": st.sampled_from([float(price) for price in PRICES]),
        "when": st.sampled_from(DATES),
        "flag": st.booleans(),
        "list": st.lists(st.sampled_from(TEXTS), max_size=3),
    },
)
events = st.fixed_dictionaries(
    {
        "application": st.sampled_from(["X", "X", "Y"]),
        "event": st.sampled_from(["Open", "Open", "open"]),
        "time": st.integers(START - HOUR_US, START + 4 * HOUR_US - 1),
        "count": st.integers(1, 3),
        "attributes": st.none() | attributes,
        "id": st.none() | st.sampled_from("abc"),
    }
)


def same(values: list[Any]) -> st.SearchStrategy[Value]:
    return st.sampled_from([Value(str(each), str(each)) for each in values])


OF_TYPE = {
    ValueType.STRING: ("text", same(TEXTS)),
    ValueType.INTEGER: ("number", same(NUMBERS)),
    ValueType.PRICE: ("price", same(PRICES)),
    ValueType.DATE: ("when", same(DATES) | st.sampled_from([Value(*day) for day in DAYS])),
    ValueType.BOOLEAN: ("flag", same(["true", "false"])),
    ValueType.LIST: ("list", same(TEXTS)),
}
ORDERED = {ValueType.INTEGER, ValueType.PRICE, ValueType.DATE}


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    kind = draw(st.sampled_from(list(OF_TYPE)))
    name, values = OF_TYPE[kind]
    operators = [Operator.EQ, Operator.IN, Operator.NOTSET, Operator.ANY]
    operators += [] if kind is ValueType.LIST else [Operator.NOTEQ, Operator.NOTIN]
    operators += [Operator.GTE, Operator.LTE, Operator.BETWEEN] if kind in ORDERED else []
    operator = draw(st.sampled_from(operators))
    least, most = {Operator.GTE: (1, 1), Operator.LTE: (1, 1), Operator.BETWEEN: (2, 2)}.get(operator, (1, 3))
    some = () if operator in {Operator.NOTSET, Operator.ANY} else draw(st.lists(values, min_size=least, max_size=most))
    return Condition(name, kind, operator, tuple(some))


def holds(condition: Condition, found: dict[str, Any]) -> bool:  # noqa: PLR0911 (one for each operator)
    value = found.get(condition.name)
    if condition.operator in {Operator.NOTSET, Operator.ANY}:
        return (value is None) == (condition.operator is Operator.NOTSET)
    if value is None:
        return False
    read: Any = {ValueType.INTEGER: int, ValueType.PRICE: float}.get(condition.type, str)
    spans = [(read(each.first), read(each.last)) for each in condition.values]
    if condition.type is ValueType.LIST:
        wanted = {first for first, _ in spans}
        return set(value) == wanted if condition.operator is Operator.EQ else bool(set(value) & wanted)
    value = str(value).lower() if condition.type is ValueType.BOOLEAN else value
    equal = any(first <= value <= last for first, last in spans)
    match condition.operator:
        case Operator.GTE:
            return bool(value >= spans[0][0])
        case Operator.LTE:
            return bool(value <= spans[0][1])
        case Operator.BETWEEN:
            return bool(spans[0][0] <= value <= spans[1][1])
        case Operator.NOTEQ | Operator.NOTIN:
            return not equal
    return equal


def naive(rows: list[dict[str, Any]], asked: EventStatistics) -> list[int]:
    """Each event once, as last received: an id on a UTC day is one event."""
    last = {(row["id"], row["time"] // (24 * HOUR_US)) if row["id"] else index: row for index, row in enumerate(rows)}
    counts: Counter[int] = Counter()
    for row in last.values():
        named = (row["application"], row["event"]) == (asked.application, asked.event)
        if named and all(holds(each, row["attributes"] or {}) for each in asked.conditions):
            counts[row["time"] // HOUR_US * HOUR_US] += row["count"]
    return [counts[hour] for hour in range(asked.start_us, asked.end_us, HOUR_US)]


def placed(folder: Path, rows: list[dict[str, Any]], cuts: tuple[int, int]) -> HandMade:
    """The first in compacted files, without repeats, then uncompacted ones, then the buffer."""
    source = HandMade(folder, APP_EVENTS)
    stored = [row | {"attributes": text(row["attributes"])} for row in rows]
    low, high = sorted(cuts)
    seen = {(row["id"], row["time"] // (24 * HOUR_US)): row for row in stored[:low] if row["id"]}
    source.compacted([row for row in stored[:low] if not row["id"]] + list(seen.values()))
    source.uncompacted(stored[low:high])
    source.buffered(stored[high:])
    return source


def text(found: dict[str, Any] | None) -> str | None:
    return None if found is None else json.dumps(found, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(events, max_size=25),
    cuts=st.tuples(st.integers(0, 25), st.integers(0, 25)),
    wanted=st.lists(conditions(), max_size=2),
    hours=st.tuples(st.integers(-1, 3), st.integers(1, 30)),
)
def test_counts_are_those_of_a_naive_count(
    duckdb_engine: Engine,
    rows: list[dict[str, Any]],
    cuts: tuple[int, int],
    wanted: list[Condition],
    hours: tuple[int, int],
) -> None:
    start_us = START + hours[0] * HOUR_US
    asked = EventStatistics("X", "Open", start_us, start_us + hours[1] * HOUR_US, tuple(wanted))
    with tempfile.TemporaryDirectory() as folder:
        queries = Queries(duckdb_engine, placed(Path(folder), rows, cuts))
        result, _ = count_events(queries, ACCOUNT, asked)
    assert [row["count"] for row in json.loads(result)] == naive(rows, asked)
    assert asked_of(kept(asked)) == asked
