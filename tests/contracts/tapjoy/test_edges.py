"""Counts and money at the edges of their types, against a naive count in Python's own numbers."""

from __future__ import annotations

import re
import secrets
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.background import rebuilder_of
from airtally.rollups import rebuild
from airtally.streams import AD_EVENTS
from fixtures.insights import A3, Advertiser

MOST = (1 << 63) - 1
KINDS = {"paid_click": "paid_clicks", "global_render": "global_renders", "global_conversion": "global_conversions"}
COUNTS = st.sampled_from([0, 1, 5, (1 << 53) + 1, (1 << 62), MOST - 1, MOST])
MONEY = st.sampled_from(
    ["0", "0.000001", "0.005", "0.004999", "-0.005", "1.5", "999999999999.999999", "-999999999999.999999", None]
)
ROWS = st.lists(
    st.tuples(st.sampled_from([*KINDS, "install"]), COUNTS, MONEY, st.integers(0, 3), st.sampled_from(["US", "ZZ"])),
    min_size=1,
    max_size=14,
)
HOUR, FIRST = 3600, 1_795_219_200  # 2026-11-21T00:00:00Z


def sent(group: str, row: tuple[Any, ...]) -> dict[str, Any]:
    kind, count, money, hour, country = row
    made = {
        "ad_group_id": group,
        "kind": kind,
        "count": count,
        "country": country,
        "time": f"2026-11-21T0{hour}:30:00Z",
    }
    return made if money is None else made | {"spend": money}


def naive(rows: list[tuple[Any, ...]], country: str | None, hour: int) -> dict[str, str]:
    """Each figure as it is written."""
    mine = [row for row in rows if row[3] == hour and country in {None, row[4]}]
    figures = {name: str(sum(row[1] for row in mine if row[0] == kind)) for kind, name in KINDS.items()}
    spend = sum((Decimal(row[2] or 0) for row in mine), Decimal(0))
    cents = int((-spend * 100).quantize(Decimal(1), ROUND_HALF_UP))
    text = f"{abs(cents) // 100}.{abs(cents) % 100:02}".rstrip("0").rstrip(".")
    return figures | {"installs_spend": f"-{text}" if cents < 0 else text}


def series(text: str) -> dict[str, list[str]]:
    """The figures of an object `insights` as text, by metric and hour."""
    found = re.findall(r'"(\w+)":\[((?:\[[^]]*\],?)*)\]', text)
    return {name: re.findall(r"\[\d+,([^]]*)\]", pairs) for name, pairs in found}


def hours(advertiser: Advertiser, group: str, more: str = "") -> str:
    query = f"start_time=2026-11-21T00:00:00Z&end_time=2026-11-21T04:00:00Z&time_increment=hourly{more}"
    answer = advertiser.get(group, query)
    assert answer.status_code == 200, answer.text
    return answer.text


def check(advertiser: Advertiser, group: str, rows: list[tuple[Any, ...]]) -> None:
    found = series(hours(advertiser, group))
    assert [{name: found[name][hour] for name in found} for hour in range(4)] == [
        naive(rows, None, hour) for hour in range(4)
    ]
    text = hours(advertiser, group, "&breakdowns=country_code")
    for country in sorted({row[4] for row in rows}):
        part = series(text.partition(f'"{country}":{{')[2].partition("}")[0])
        assert [{name: part[name][hour] for name in part} for hour in range(4)] == [
            naive(rows, country, hour) for hour in range(4)
        ]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, where=st.sampled_from(["buffered", "flushed", "rolled up"]))
def test_the_answer_is_a_plain_count(network: Advertiser, rows: list[tuple[Any, ...]], where: str) -> None:
    services, group = network.server.services, secrets.token_hex(6)
    network.send("ad_groups", A3 | {"ad_group_id": group})
    network.send("ad_events", *(sent(group, row) for row in rows))
    if where != "buffered":
        services.storage.event_store.flush()
    if where == "rolled up":
        rebuilder_of(services).rebuild(services.storage.lake.table(AD_EVENTS), AD_EVENTS.rollups[0], rebuild.EAGER)
    check(network, group, rows)


@pytest.mark.parametrize("where", ["buffered", "rolled up"])
def test_two_clicks_that_leave_64_bits(network: Advertiser, where: str) -> None:
    group = secrets.token_hex(6)
    network.send("ad_groups", A3 | {"ad_group_id": group})
    click = {"ad_group_id": group, "kind": "paid_click", "time": "2026-11-21T02:00:00Z"}
    network.send("ad_events", click | {"count": MOST}, click | {"count": 5})
    services = network.server.services
    if where == "rolled up":
        services.storage.event_store.flush()
        rebuilder_of(services).rebuild(services.storage.lake.table(AD_EVENTS), AD_EVENTS.rollups[0], rebuild.EAGER)
    assert series(hours(network, group))["paid_clicks"] == ["0", "0", "9223372036854775812", "0"]
    assert network.data("time_preset=yesterday", group)["insights"]["paid_clicks"] == [[FIRST, 9223372036854775812]]
    asked = {
        "stream": "ad_events",
        "metrics": [{"function": "sum", "column": "count"}],
        "filter": {"ad_group_id": group},
    }
    assert network.native.ask(**asked).json()["rows"] == [{"sum_count": 9223372036854775812}]
