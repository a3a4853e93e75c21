"""What an insights call answers: docs/vendors/tapjoy.md#3, #4, #5."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airtally.kit.time import SECOND_US
from fixtures.insights import A1, A3, PUBLIC_URL, Advertiser

DAY_15, DAY_20, DAY_21, DAY_22 = 1_794_700_800, 1_795_132_800, 1_795_219_200, 1_795_305_600
NAMES = ["paid_clicks", "global_renders", "global_conversions", "installs_spend"]


def series(stamps: Any, *values: tuple[float, float, float, float]) -> dict[str, Any]:
    """Values as clicks, renders, conversions and spend of each stamp."""
    columns = zip(*values, strict=True) if values else [()] * 4
    return {
        name: [[stamp, value] for stamp, value in zip(stamps, column, strict=True)]
        for name, column in zip(NAMES, columns, strict=True)
    }


def ends(start: str, end: str) -> str:
    return f"start_time={start}&end_time={end}"


def test_an_answer_is_the_same_packed(network: Advertiser) -> None:
    query = "time_preset=last_week&time_increment=hourly&breakdowns=country_code"
    plain = network.get(query=query, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for coding in ("gzip", "gzip", "zstd"):
        packed = network.get(query=query, headers={"Accept-Encoding": coding})
        assert (packed.headers["content-encoding"], packed.headers["vary"]) == (coding, "Accept-Encoding")
        assert packed.content == plain.content
        assert int(packed.headers["content-length"]) < len(plain.content) / 2


def test_row_08_yesterday(network: Advertiser) -> None:
    data = network.data("time_preset=yesterday")
    assert data["insights"] == series([DAY_21], (12, 60, 5, -15.75))
    assert all(isinstance(value, int) for name in NAMES[:3] for _, value in data["insights"][name])


def test_row_09_yesterday_by_country(network: Advertiser) -> None:
    insights = network.insights("time_preset=yesterday&breakdowns=country_code")
    assert insights == {"US": series([DAY_21], (12, 60, 5, -15.75))}


def test_row_10_today_is_what_is_asked_without_parameters(network: Advertiser) -> None:
    preset, bare = network.get(query="time_preset=today"), network.get()
    assert preset.content == bare.content
    assert preset.json()["data"]["A1"]["insights"] == series([DAY_22], (1, 5, 0, 0))
    assert '"installs_spend":[[1795305600,0]]' in preset.text


def test_row_11_today_by_the_hour(network: Advertiser) -> None:
    insights = network.insights("time_preset=today&time_increment=hourly")
    stamps = range(DAY_22, 1_795_341_601, 3600)
    assert len(stamps) == 11
    assert insights == series(stamps, *[(1, 5, 0, 0) if at == 1_795_338_000 else (0, 0, 0, 0) for at in stamps])


def test_row_12_last_week(network: Advertiser) -> None:
    insights = network.insights("time_preset=last_week")
    assert insights == series(range(1_794_182_400, DAY_15 + 1, 86_400), *[(0, 0, 0, 0)] * 6, (2, 9, 1, -3.1))


def test_row_13_a_day_by_country(network: Advertiser) -> None:
    query = ends("2026-11-20T00:00:00-00:00", "2026-11-21T00:00:00-00:00")
    insights = network.insights(f"{query}&time_increment=daily&breakdowns=country_code")
    assert insights == {
        "US": series([DAY_20], (10, 50, 4, -12.5)),
        "CA": series([DAY_20], (3, 20, 1, -2.25)),
    }


def test_row_14_the_whole_body(network: Advertiser) -> None:
    query = ends("2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z")
    answer = network.get(query=f"{query}&breakdowns=country_code")
    assert answer.text == (
        '{"data":{"A1":{"insights":{'
        '"CA":{"paid_clicks":[[1795132800,3],[1795219200,0]],"global_renders":[[1795132800,20],[1795219200,0]],'
        '"global_conversions":[[1795132800,1],[1795219200,0]],"installs_spend":[[1795132800,-2.25],[1795219200,0]]},'
        '"US":{"paid_clicks":[[1795132800,10],[1795219200,12]],"global_renders":[[1795132800,50],[1795219200,60]],'
        '"global_conversions":[[1795132800,4],[1795219200,5]],'
        '"installs_spend":[[1795132800,-12.5],[1795219200,-15.75]]}},'
        '"metadata":{"name":"Harbour Tycoon - launch","platform":"iOS","secondary_offer_id":"A2"},'
        '"rel":{"link":"https://insights.example.test/v1/ad_groups/A2/insights"}}}}'
    )
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["airtally-timezone"] == "UTC"
    assert answer.headers["airtally-data-through"] == "2026-11-22T10:30:00.000000Z"
    assert answer.headers["airtally-generated-at"] == "2026-11-22T10:30:00.000000Z"


def test_row_15_two_days(network: Advertiser) -> None:
    insights = network.insights(ends("2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z"))
    assert insights == series([DAY_20, DAY_21], (13, 70, 5, -14.75), (12, 60, 5, -15.75))


def test_row_16_a_day_in_its_own_offset(network: Advertiser) -> None:
    insights = network.insights(ends("2026-11-20T00:00:00-04:00", "2026-11-21T00:00:00-04:00"))
    assert insights == series([1_795_147_200], (25, 130, 10, -30.5))


@pytest.mark.parametrize("plus", ["+", "%2B", "%20"])
def test_row_17_an_offset_whose_plus_is_encoded_or_not(network: Advertiser, plus: str) -> None:
    insights = network.insights(ends(f"2026-11-20T08:00:00{plus}08:00", f"2026-11-21T08:00:00{plus}08:00"))
    assert insights == series([DAY_20], (13, 70, 5, -14.75))


def test_row_18_hours(network: Advertiser) -> None:
    query = ends("2026-11-20T05:00:00Z", "2026-11-20T07:00:00Z")
    insights = network.insights(f"{query}&time_increment=hourly")
    assert insights == series([1_795_150_800, 1_795_154_400], (13, 70, 5, -14.75), (0, 0, 0, 0))


def test_row_23_exactly_two_years_ago(network: Advertiser) -> None:
    insights = network.insights(ends("2024-11-22T00:00:00Z", "2024-11-23T00:00:00Z"))
    assert insights == series([1_732_233_600], (0, 0, 0, 0))


def test_row_26_nothing_of_the_future(network: Advertiser) -> None:
    insights = network.insights(ends("2026-11-21T00:00:00Z", "2026-11-25T00:00:00Z"))
    assert insights == series([DAY_21, DAY_22], (12, 60, 5, -15.75), (1, 5, 0, 0))


def test_row_27_a_group_without_events(network: Advertiser) -> None:
    data = network.data("time_preset=yesterday", "A3")
    metadata = {"name": A3["name"], "platform": "Android"}
    assert data == {"insights": series([DAY_21], (0, 0, 0, 0)), "metadata": metadata}
    assert network.data("time_preset=yesterday&breakdowns=country_code", "A3") == {"insights": {}, "metadata": metadata}


def test_row_28_the_link_to_the_secondary_offer(network: Advertiser) -> None:
    answer = network.get(query="time_preset=yesterday", headers={"Host": "api.tapjoy.com"})
    data = answer.json()["data"]["A1"]
    assert data["metadata"]["secondary_offer_id"] == "A2"
    link = data["rel"]["link"]
    assert link == f"{PUBLIC_URL}/v1/ad_groups/A2/insights"
    path = f"{link.removeprefix(PUBLIC_URL)}?time_preset=yesterday"
    followed = network.http.get(path, headers={"Authorization": f"Bearer {network.token}"})
    assert followed.status_code == 200
    assert list(followed.json()["data"]) == ["A2"]
    data = followed.json()["data"]["A2"]
    assert data["insights"] == series([DAY_21], (0, 0, 2, -6))
    assert sorted(data) == ["insights", "metadata"]
    assert sorted(data["metadata"]) == ["name", "platform"]


def test_row_33_a_scheme_in_small_letters_two_spaces_and_an_unknown_parameter(network: Advertiser) -> None:
    headers = {"Authorization": f"bearer  {network.token}"}
    answer = network.http.get("/v1/ad_groups/A1/insights?time_preset=yesterday&foo=1", headers=headers)
    assert answer.content == network.get(query="time_preset=yesterday").content


def test_an_id_in_other_letters_is_echoed_as_sent(network: Advertiser) -> None:
    assert network.data("time_preset=yesterday", "a1") == network.data("time_preset=yesterday", "A1")


@pytest.mark.parametrize("increment", ["hourly", "daily"])
def test_a_range_wholly_in_the_future(network: Advertiser, increment: str) -> None:
    query = ends("2026-11-23T00:00:00Z", "9999-12-31T23:00:00-12:00") + f"&time_increment={increment}"
    assert network.insights(query) == series([])
    assert network.insights(f"{query}&breakdowns=country_code") == {}


def test_a_bucket_that_starts_now_is_there(network: Advertiser) -> None:
    clock = network.server.services.clock
    clock.advance(1800)
    try:
        insights = network.insights(ends("2026-11-22T10:00:00Z", "2026-11-22T13:00:00Z") + "&time_increment=hourly")
        assert [stamp for stamp, _ in insights["paid_clicks"]] == [1_795_341_600, 1_795_345_200]
    finally:
        clock._now_us -= 1800 * SECOND_US


def test_a_last_day_cut_short(network: Advertiser) -> None:
    insights = network.insights(ends("2026-11-20T05:00:00Z", "2026-11-21T02:00:00Z"))
    assert insights == series([DAY_20 + 5 * 3600], (13, 70, 5, -14.75))
    insights = network.insights(ends("2026-11-20T02:00:00Z", "2026-11-21T03:00:00Z"))
    assert insights == series([DAY_20 + 7200, DAY_21 + 7200], (13, 70, 5, -14.75), (12, 60, 5, -15.75))


@pytest.mark.parametrize(
    "query",
    [
        "time_preset=last_week&time_preset=yesterday",
        "time_preset=yesterday&start_time=&end_time=&breakdowns=&time_increment=",
        "time_preset=yesterday&breakdowns=&breakdowns[]=",
        "&&time_preset=yesterday&",
        "time%5Fpreset=yest%65rday",
        "time_increment=hourly&time_increment=daily&time_preset=yesterday&TIME_PRESET=x",
        ends("2026-11-21T00", "2026-11-22t00:00z"),
        ends("2026-11-21T00:00:00.000Z", "2026-11-22T00:00:00"),
        ends("2026-11-20T20:00-0400", "2026-11-22T14:00:00+14:00"),
        ends("2026-11-20T12:00:00-12", "2026-11-22T00:00:00-00:00"),
    ],
)
def test_other_ways_to_ask_for_yesterday(network: Advertiser, query: str) -> None:
    assert network.insights(query) == series([DAY_21], (12, 60, 5, -15.75))


@pytest.mark.parametrize("query", ["breakdowns[]=country_code", "breakdowns%5B%5D=country_code&breakdowns="])
def test_the_breakdown_as_an_array(network: Advertiser, query: str) -> None:
    assert list(network.insights(f"time_preset=yesterday&{query}")) == ["US"]


def test_two_years_of_hours(network: Advertiser) -> None:
    query = ends("2024-11-22T00:00:00Z", "2026-11-22T00:00:00Z")
    insights = network.insights(f"{query}&time_increment=hourly&breakdowns=country_code")
    assert {name: [len(each) for each in found.values()] for name, found in insights.items()} == {
        "CA": [17_520] * 4,
        "US": [17_520] * 4,
    }
    assert sum(value for _, value in insights["US"]["paid_clicks"]) == 24
    whole = json.loads(json.dumps(network.insights(query)))
    assert sum(value for _, value in whole["paid_clicks"]) == 27


def test_the_name_may_be_any_text(network: Advertiser) -> None:
    name = 'Ünïcode "quoted" \\ \N{PILE OF POO}\n'
    network.send("ad_groups", A1 | {"ad_group_id": "T&xt ü", "name": name, "secondary_offer_id": "Ä/2"})
    answer = network.get("T%26xt%20%C3%BC")
    data = answer.json()["data"]["T&xt ü"]
    assert data["metadata"]["name"] == name
    assert data["rel"]["link"] == f"{PUBLIC_URL}/v1/ad_groups/%C3%84%2F2/insights"
