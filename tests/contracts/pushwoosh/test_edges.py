"""Prices, whole numbers and counts at the edges of their types, against a naive count in Python's own numbers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airtally.accounts.declared import ValueType
from airtally.background import rebuilder_of
from airtally.rollups.rebuild import EAGER
from airtally.streams import APP_EVENTS
from fixtures.push import Push, where
from fixtures.server import LiveServer

MOST = (1 << 63) - 1
CENT, WIDE = Decimal("0.01"), Context(prec=400)
PRICES: list[int | float] = [
    *(0, -1, 0.1, 0.005, -0.005, 9.994, 9.995, 10, 12.5, -1e20, 5e-324, 1e15, 1e16, (1 << 53) + 1, MOST, MOST + 1),
    *(1e17, 123456789012345678.5, 1e20, 10**20, 10**20 + 1, 1e23, 10**23, 1e35, 1e300, -1e300),
]
INTEGERS = [0, 1, -1, (1 << 53) + 1, (1 << 53) + 2, MOST - 1, MOST, -MOST - 1, -MOST]
#: One event a minute; its place is its count's bit, so that a sum tells which were counted.
VALUES = [*(("price", each) for each in PRICES), *(("items", each) for each in INTEGERS), (None, None)]


@pytest.fixture(scope="module", params=["buffered", "flushed"])
def shop(request: pytest.FixtureRequest, push_server: LiveServer) -> Iterator[Push]:
    made = Push(push_server)
    types = {"price": ValueType.PRICE, "items": ValueType.INTEGER}
    push_server.services.access.declared.create_event(made.account, made.x, "CartOpen", attributes=types)
    made.events(
        *(
            {"time": f"2026-03-10T00:{n:02}:00Z", "count": 1 << n, "attributes": {} if name is None else {name: value}}
            for n, (name, value) in enumerate(VALUES)
        )
    )
    if request.param == "flushed":
        push_server.services.storage.event_store.flush()
    yield made
    made.close()


def places(shop: Push, *conditions: dict[str, Any]) -> list[int]:
    (counted,) = shop.counts(*conditions).values() or [0]
    return [place for place in range(len(VALUES)) if counted >> place & 1]


def read(name: str, value: Any) -> Decimal:
    number = Decimal(repr(value)) if not isinstance(value, str) else Decimal(value)
    return number.quantize(CENT, ROUND_HALF_UP, WIDE) if name == "price" else number


def naive(name: str, operator: str, wanted: list[Any]) -> list[int]:
    found = {place: read(name, value) for place, (own, value) in enumerate(VALUES) if own == name}
    some = [read(name, each) for each in wanted]
    holds = {
        "EQ": lambda each: each in some,
        "IN": lambda each: each in some,
        "NOTEQ": lambda each: each not in some,
        "NOTIN": lambda each: each not in some,
        "GTE": lambda each: each >= some[0],
        "LTE": lambda each: each <= some[0],
        "BETWEEN": lambda each: some[0] <= each <= some[-1],
        "ANY": lambda each: True,
    }
    if operator == "NOTSET":
        return [place for place in range(len(VALUES)) if place not in found]
    return [place for place, each in found.items() if holds[operator](each)]


def test_prices_above_10_to_the_16(shop: Push) -> None:
    prices = range(len(PRICES))
    assert places(shop, where("price", "GTE", 10)) == [n for n in prices if PRICES[n] >= 9.995]
    assert places(shop, where("price", "NOTEQ", 10)) == [n for n in prices if PRICES[n] not in {10, 9.995}]
    assert places(shop, where("price", "EQ", "1" + "0" * 20)) == [PRICES.index(1e20), PRICES.index(1e20) + 1]
    assert places(shop, where("price", "EQ", 1e20)) == [PRICES.index(1e20), PRICES.index(1e20) + 1]


@pytest.mark.parametrize("operator", ["EQ", "NOTEQ", "IN", "NOTIN", "GTE", "LTE", "BETWEEN", "NOTSET", "ANY"])
@pytest.mark.parametrize("name", ["price", "items"])
def test_every_operator_is_a_plain_count(shop: Push, name: str, operator: str) -> None:
    given = [str(each) for each in INTEGERS] if name == "items" else [e for e in PRICES if abs(e) < 1e36]
    given = [each for each in given if each != str(-MOST - 1)]  # its sign and 19 digits are no integer of the vendor's
    size = {"BETWEEN": 2, "GTE": 1, "LTE": 1, "NOTSET": 0, "ANY": 0}.get(operator, 3)
    for start in range(0, len(given), 7) if size else [0]:
        some = (given[start:] + given)[:size]
        assert places(shop, where(name, operator, *some)) == naive(name, operator, some), some


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from(["EQ", "NOTEQ", "GTE", "LTE", "BETWEEN"]),
    st.decimals(-(10**21), 10**21, places=2) | st.sampled_from([Decimal(repr(e)) for e in PRICES if abs(e) < 1e36]),
    st.decimals(-(10**21), 10**21, places=2),
)
def test_any_price(shop: Push, operator: str, first: Decimal, second: Decimal) -> None:
    some = [format(read("price", format(each, "f")), "f") for each in (first, second)]
    some = some if operator == "BETWEEN" else some[:1]
    assert places(shop, where("price", operator, *some)) == naive("price", operator, some)


def test_counts_that_leave_64_bits(push_server: LiveServer, other: Push) -> None:
    push_server.services.access.declared.create_event(other.account, other.x, "CartOpen")
    hour = {"time": "2026-03-10T00:00:00Z"}
    other.events(hour | {"count": MOST}, hour | {"count": 5}, {"time": "2026-03-10T01:00:00Z", "count": MOST})
    right = {"2026-03-10 00:00": 9223372036854775812, "2026-03-10 01:00": MOST}
    assert other.counts() == right
    services = push_server.services
    services.storage.event_store.flush()
    rebuilder_of(services).rebuild(services.storage.lake.table(APP_EVENTS), APP_EVENTS.rollups[0], EAGER)
    assert other.counts() == right


def test_a_tag_of_prices_counts_equal_numbers_together(push_server: LiveServer, other: Push) -> None:
    push_server.services.access.declared.add_tag(other.account, "Paid", ValueType.PRICE, application_specific=True)
    values = [1e20, 10**20, 1e23, 10**23, 12.5, 12.504, 5e-324, 0, MOST + 1]
    other.tags("Paid", **{f"d{place}": value for place, value in enumerate(values)})
    lines = other.csv("Paid", [other.x]).splitlines()
    found = dict(line.split(";")[1:] for line in lines)
    assert found == {
        "100000000000000000000.00": "2",
        "100000000000000000000000.00": "2",
        "12.50": "2",
        "0.00": "2",
        "9223372036854775808.00": "1",
    }
