"""Operators and values of every type of attribute: docs/vendors/pushwoosh.md#4."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from airtally.accounts.declared import ValueType
from fixtures.push import Push, fault, where
from fixtures.server import LiveServer

ATTRIBUTES = {
    "name": ValueType.STRING,
    "items": ValueType.INTEGER,
    "topics": ValueType.LIST,
    "when": ValueType.DATE,
    "vip": ValueType.BOOLEAN,
    "price": ValueType.PRICE,
    "a.b/c": ValueType.STRING,
}
#: One event an hour from midnight; the clock stands at 2026-11-02 09:15.
EVENTS: list[dict[str, Any]] = [
    {"name": "5", "items": 5, "topics": ["news", "sport"], "when": "2026-10-31 00:00", "vip": True, "price": 1.5},
    {"name": "five", "items": -5, "topics": ["sport"], "when": "2026-10-31 23:59", "vip": False, "price": 2},
    {"name": "Five", "topics": [], "when": "2026-11-01 12:30", "price": 10.25, "a.b/c": "odd"},
    {},
]


@pytest.fixture(scope="module")
def shop(push_server: LiveServer) -> Iterator[Push]:
    made = Push(push_server)
    push_server.services.access.declared.create_event(made.account, made.x, "CartOpen", attributes=ATTRIBUTES)
    times = [f"2026-03-10T0{hour}:00:00Z" for hour in range(len(EVENTS))]
    made.events(*({"time": at, "attributes": each} for at, each in zip(times, EVENTS, strict=True)))
    yield made
    made.close()


def hours(shop: Push, *conditions: dict[str, Any]) -> set[int]:
    found = shop.counts(*conditions)
    assert set(found.values()) <= {1}
    return {int(date[11:13]) for date in found}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (where("name", "EQ", "five"), {1}),
        (where("name", "EQ", "five", "5"), {0, 1}),
        (where("name", "EQ", 5), {0}),
        (where("name", "NOTIN", "five", "Five"), {0}),
        (where("name", "NotSet", "ignored"), {3}),
        (where("a.b/c", "EQ", "odd"), {2}),
        (where("a.b/c", "ANY"), {2}),
        (where("items", "EQ", "5"), {0}),
        (where("items", "EQ", "-5"), {1}),
        (where("items", "IN", 5, -5, 7), {0, 1}),
        (where("items", "NOTEQ", 5), {1}),
        (where("items", "LTE", 4), {1}),
        (where("items", "GTE", -5), {0, 1}),
        (where("items", "BETWEEN", 9, 4), set()),
        (where("topics", "IN", "sport", "other"), {0, 1}),
        (where("topics", "EQ", "sport"), {1}),
        (where("topics", "EQ", "sport", "news"), {0}),
        (where("topics", "ANY"), {0, 1, 2}),
        (where("topics", "IN", 7), set()),
        (where("vip", "EQ", "False"), {1}),
        (where("vip", "EQ", True, 0), {0, 1}),
        (where("vip", "NOTSET"), {2, 3}),
        (where("price", "EQ", "1.50"), {0}),
        (where("price", "EQ", 2), {1}),
        (where("price", "GTE", 1.501), {0, 1, 2}),
        (where("price", "BETWEEN", "2", 10.25), {1, 2}),
        (where("price", "NOTIN", 2, 1.5), {2}),
        (where("when", "EQ", "2026-10-31"), {0, 1}),
        (where("when", "NOTEQ", "2026-10-31"), {2}),
        (where("when", "EQ", "2026-10-31 23:59"), {1}),
        (where("when", "EQ", "2026-10-31T23:59:59"), {1}),
        (where("when", "EQ", 1793577599), set()),
        (where("when", "EQ", 1793536200), {2}),
        (where("when", "GTE", "2026-10-31 00:01"), {1, 2}),
        (where("when", "GTE", "2026-11-01"), {2}),
        (where("when", "LTE", "2026-10-31"), {0, 1}),
        (where("when", "LTE", "2026-10-31 00:00"), {0}),
        (where("when", "BETWEEN", "2026-10-31", "2026-11-01"), {0, 1, 2}),
        (where("when", "IN", "2026-10-31 00:00", "2026-11-01"), {0, 2}),
        (where("when", "EQ", "1 days ago"), {2}),
        (where("when", "EQ", "0 days ago"), set()),
        (where("when", "LTE", "2 days ago"), {0, 1}),
        (where("when", "GTE", "1 days ago"), {2}),
        (where("when", "BETWEEN", "2 days ago", "2 days ago"), {0, 1}),
    ],
)  # fmt: skip
def test_what_holds(shop: Push, condition: dict[str, Any], expected: set[int]) -> None:
    assert hours(shop, condition) == expected


@pytest.mark.parametrize(
    "condition",
    [
        where("name", "BETWEEN", "a", "b"),
        where("topics", "NOTIN", "sport"),
        where("vip", "IN", True),
        where("name", "\uff25\uff31", "five"),
        {"name": "name", "values": ["five"]},
        {"name": "name", "operator": 1, "values": ["five"]},
    ],
)
def test_operators_that_do_not_suit(shop: Push, condition: dict[str, Any]) -> None:
    assert shop.events_of(attributes=[condition]) == fault("Unknown operator")


@pytest.mark.parametrize(
    "condition",
    [
        where("items", "EQ", 5.5),
        where("items", "EQ", "5.0"),
        where("items", "EQ", True),
        where("items", "EQ", None),
        where("items", "EQ", 1 << 63),
        where("items", "GTE", 1, 2),
        where("items", "BETWEEN", 1, 2, 3),
        where("items", "EQ"),
        {"name": "items", "operator": "EQ", "values": 5},
        {"name": "items", "operator": "EQ", "values": []},
        {"name": "name", "operator": "EQ", "values": [["five"]]},
        where("name", "EQ", True),
        where("vip", "EQ", 2),
        where("vip", "EQ", "yes"),
        where("vip", "EQ", 1.0),
        where("price", "EQ", "1,5"),
        where("price", "EQ", "1e3"),
        where("price", "EQ", 1e300),
        where("price", "EQ", False),
        where("when", "EQ", "yesterday"),
        where("when", "EQ", "2026-02-30"),
        where("when", "EQ", 10**15),
        where("when", "EQ", "9999999 days ago"),
        where("when", "EQ", "999999 days ago"),
        where("when", "IN", "1 days ago"),
    ],
)
def test_values_that_do_not_fit(shop: Push, condition: dict[str, Any]) -> None:
    assert shop.events_of(attributes=[condition]) == fault("Invalid attribute values")


def test_entries_that_name_no_attribute(shop: Push) -> None:
    for entry in ({"operator": "ANY"}, "name", None, {"name": 7, "operator": "ANY"}, where("Name", "ANY")):
        assert shop.events_of(attributes=[entry]) == fault("Attribute not found")


def test_attributes_are_an_array_of_some_length(shop: Push) -> None:
    for attributes in ({}, where("name", "ANY"), "name", 7, False):
        assert shop.events_of(attributes=attributes) == fault("attributes must be an array")
    many = [where("name", "ANY")] * 50
    assert hours(shop, *many) == {0, 1, 2}
    assert shop.events_of(attributes=[*many, *many]) == fault("Too many attributes")


def test_a_long_list_of_values(shop: Push) -> None:
    assert hours(shop, where("name", "IN", *map(str, range(20_000)))) == {0}
    assert hours(shop, where("topics", "IN", *map(str, range(20_000)), "news")) == {0}
    last = date(2026, 10, 31).toordinal()
    days = [date.fromordinal(last - back).isoformat() for back in range(20_000)]
    assert hours(shop, where("when", "IN", *days)) == {0, 1}
    assert hours(shop, where("when", "NOTIN", *days)) == {2}
