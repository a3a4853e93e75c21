"""What the table leaves out: money, pre-counted rows, corrections, groups that come and go."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from fixtures.insights import A1, Advertiser

AT = "2026-11-21T02:00:00Z"
DAY_21 = 1_795_219_200


@pytest.fixture
def group(network: Advertiser) -> Callable[..., dict[str, Any]]:
    """`group(*rows)`: figures of yesterday of a new ad group with these rows, and the text they came in."""

    def figures(*rows: dict[str, Any]) -> dict[str, Any]:
        name = secrets.token_hex(8)
        network.send("ad_groups", A1 | {"ad_group_id": name})
        network.send("ad_events", *({"ad_group_id": name, "time": AT, "kind": "paid_click"} | row for row in rows))
        answer = network.get(name, "time_preset=yesterday")
        insights = answer.json()["data"][name]["insights"]
        found = {metric: series[0][1] for metric, series in insights.items()}
        found["text"] = re.search(r'"installs_spend":\[\[1795219200,([^]]*)\]', answer.text)[1]
        return found

    return figures


def test_a_row_that_stands_for_many_has_its_money_once(group: Callable[..., dict[str, Any]]) -> None:
    found = group({"count": 1000, "spend": "2.5"}, {"count": 0, "spend": "1"}, {})
    assert (found["paid_clicks"], found["installs_spend"]) == (1001, -3.5)


@pytest.mark.parametrize("kind", ["paid_click", "global_render", "global_conversion", "install"])
def test_spend_of_every_kind_counts_installs_themselves_do_not(group: Callable[..., dict[str, Any]], kind: str) -> None:
    found = group({"kind": kind, "count": 3, "spend": "1.25"})
    assert found.pop("installs_spend") == -1.25
    del found["text"]
    assert {name: value for name, value in found.items() if value} == ({} if kind == "install" else {f"{kind}s": 3})


@pytest.mark.parametrize(
    ("spends", "text"),
    [
        (["-4.2"], "4.2"),  # a refund
        (["-4.2", "10"], "-5.8"),
        (["1", "-1"], "0"),
        (["-0.004"], "0"),
        (["0.004"], "0"),
        (["0.005"], "-0.01"),
        (["-0.005"], "0.01"),
        (["1.115"], "-1.12"),
        (["0.004", "0.004"], "-0.01"),
        (["0.004999", "0.000001"], "-0.01"),
        (["100"], "-100"),
        (["0.1"], "-0.1"),
        (["0.99"], "-0.99"),
        (["0.995"], "-1"),
        (["999999999999.999999"], "-1000000000000"),
        (["123456789012.34", "123456789012.34"], "-246913578024.68"),
        ([None], "0"),
    ],
)
def test_money(group: Callable[..., dict[str, Any]], spends: list[str | None], text: str) -> None:
    assert group(*({"kind": "install", "spend": spend} for spend in spends))["text"] == text


def test_a_row_sent_again_counts_once_as_last_received(group: Callable[..., dict[str, Any]]) -> None:
    rows = [{"id": "e1", "count": 5, "spend": "1"}, {"id": "e1", "count": 7, "spend": "2"}, {"count": 1}]
    found = group(*rows)
    assert (found["paid_clicks"], found["installs_spend"]) == (8, -2)


def test_a_country_with_events_that_count_nothing_is_there(network: Advertiser) -> None:
    network.send("ad_groups", A1 | {"ad_group_id": "Silent"})
    network.send(
        "ad_events",
        {"ad_group_id": "silent", "time": AT, "kind": "install", "country": "FR"},
        {"ad_group_id": "SILENT", "time": AT, "kind": "paid_click"},
        {"ad_group_id": "SILENT", "time": "2026-11-20T02:00:00Z", "kind": "paid_click", "country": "DE"},
    )
    insights = network.insights("time_preset=yesterday&breakdowns=country_code", "Silent")
    assert {country: series["paid_clicks"][0][1] for country, series in insights.items()} == {"FR": 0, "ZZ": 1}


def test_a_group_that_is_deleted_and_comes_back(network: Advertiser) -> None:
    event = {"ad_group_id": "Comes", "time": AT, "kind": "paid_click"}
    network.send("ad_events", event)
    assert network.get("Comes").status_code == 404
    network.send("ad_groups", A1 | {"ad_group_id": "comes", "name": "first"})
    data = network.data("time_preset=yesterday", "Comes")
    assert data["insights"]["paid_clicks"] == [[DAY_21, 1]]
    network.send("ad_groups", {"ad_group_id": "COMES", "is_deleted": 1})
    assert network.get("Comes").text == '{"error":"Not found"}'
    assert network.get("Comes").status_code == 404
    network.send("ad_groups", A1 | {"ad_group_id": "Comes", "name": "again", "secondary_offer_id": None})
    data = network.data("time_preset=yesterday", "Comes")
    assert data["metadata"] == {"name": "again", "platform": "iOS"}
    assert data["insights"]["paid_clicks"] == [[DAY_21, 1]]


def test_a_secondary_offer_leads_no_further(network: Advertiser) -> None:
    network.send(
        "ad_groups",
        A1 | {"ad_group_id": "C1", "secondary_offer_id": "c2"},
        A1 | {"ad_group_id": "C2", "secondary_offer_id": "C3"},
        A1 | {"ad_group_id": "C3", "secondary_offer_id": ""},
    )
    assert network.data(group="C1")["rel"]["link"].endswith("/v1/ad_groups/c2/insights")
    for group in ("C2", "C3"):
        data = network.data(group=group)
        assert "rel" not in data
        assert sorted(data["metadata"]) == ["name", "platform"]
