"""The legacy report, where published clients begin: docs/vendors/tapjoy.md#7."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.insights import A1, A2, A3, B1, EARLIER_US, K1, K2, TABLE, Advertiser
from fixtures.server import LiveServer


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Advertiser]:
    """Account 1 of the table, on a server of its own: every group of an account is in its report."""
    home = tmp_path_factory.mktemp("legacy") / "home"
    server = LiveServer(Settings(home=home, rate_limits=False), MovableClock(EARLIER_US + 3_600_000_000)).start()
    first, second = Advertiser(server, "first", K1), Advertiser(server, "second", K2)
    first.send("ad_groups", A1, A2, A3)
    first.send("ad_events", *TABLE)
    second.send("ad_groups", B1)
    yield first
    first.close()
    second.close()
    server.stop()


UNAUTHORIZED = {"error": "Unauthorized"}
KEYS = ["AppKey", "Name", "AppName", "AppStoreID", "Platform", "PaidClicks", "PaidInstalls", "Spend"]


def ask(network: Advertiser, query: str = "", key: str = K1) -> httpx.Response:
    return network.http.get(f"/reporting_data.json?email=a&api_key={key}&{query}")


def figures(network: Advertiser, query: str) -> dict[str, tuple[Any, Any, Any]]:
    """Clicks, installs and spend by ad group."""
    answer = ask(network, query)
    assert answer.status_code == 200, answer.text
    return {app["AppKey"]: (app["PaidClicks"], app["PaidInstalls"], app["Spend"]) for app in answer.json()["Apps"]}


def test_row_35_the_legacy_report(network: Advertiser) -> None:
    answer = ask(network, "date=2026-11-21&page_size=50&page=1&timezone=0")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    body = answer.json()
    assert list(body) == ["Date", "TotalPages", "Apps"]
    assert (body["Date"], body["TotalPages"]) == ("2026-11-21", 1)
    assert [list(app) for app in body["Apps"]] == [KEYS] * 3
    assert body["Apps"][0] == {
        "AppKey": "A1",
        "Name": "Harbour Tycoon - launch",
        "AppName": "Harbour Tycoon - launch",
        "AppStoreID": "",
        "Platform": "iOS",
        "PaidClicks": 12,
        "PaidInstalls": 5,
        "Spend": -15.75,
    }
    assert figures(network, "date=2026-11-21") == {"A1": (12, 5, -15.75), "A2": (0, 2, -6), "A3": (0, 0, 0)}
    assert '"Spend":-0' not in answer.text


@pytest.mark.parametrize("key", ["wrong", "", K1.upper(), f"{K1}%20"])
def test_row_35_a_wrong_key(network: Advertiser, key: str) -> None:
    for query in ("date=2026-11-21", "date=x"):
        answer = ask(network, query, key)
        assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
    assert network.http.get("/reporting_data.json").status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        *(
            "date=x",
            "date=2026-02-30",
            "date=2026-11-21T00:00:00Z",
            "date=0001-01-01",
            "date=21.11.2026",
            "date=2024-11-21",
        ),
        *("timezone=x", "timezone=99", "timezone=-13", "timezone=%2B15", "timezone=1e1"),
        *("page=0", "page=-1", "page=x", "page_size=0", "page_size=1.5", "page_size=99999999999"),
    ],
)
def test_row_35_what_cannot_be_read(network: Advertiser, query: str) -> None:
    answer = ask(network, query)
    assert (answer.status_code, list(answer.json())) == (422, ["errors"])
    assert all(isinstance(each, str) for each in answer.json()["errors"])


def test_the_day_is_that_of_the_time_zone(network: Advertiser) -> None:
    """Events of A1 at 2026-11-20 05:00 and 05:10, and at 2026-11-21 02:59 UTC."""
    assert figures(network, "date=2026-11-20")["A1"] == (13, 5, -14.75)
    assert figures(network, "date=2026-11-20&timezone=-4")["A1"] == (25, 10, -30.5)
    for plus in ("+8", "%2B8", "8", " 8"):
        assert figures(network, f"date=2026-11-20&timezone={plus}")["A1"] == (13, 5, -14.75)
    assert figures(network, "date=2026-11-20&timezone=-12")["A1"] == (12, 5, -15.75)


def test_today_by_default_and_days_to_come(network: Advertiser) -> None:
    assert ask(network).json()["Date"] == "2026-11-22"
    assert figures(network, "")["A1"] == (1, 0, 0)
    assert ask(network, "timezone=%2B14").json()["Date"] == "2026-11-23"
    for day in ("2026-11-30", "9999-12-31"):
        assert figures(network, f"date={day}")["A1"] == (0, 0, 0)


def test_pages(network: Advertiser) -> None:
    first, second = (ask(network, f"page_size=2&page={page}").json() for page in (1, 2))
    assert (first["TotalPages"], [app["AppKey"] for app in first["Apps"]]) == (2, ["A1", "A2"])
    assert [app["AppKey"] for app in second["Apps"]] == ["A3"]
    assert ask(network, "page=9&page_size=999999999").json()["Apps"] == []


def test_each_account_has_its_own(network: Advertiser) -> None:
    assert [app["AppKey"] for app in ask(network, key=K2).json()["Apps"]] == ["B1"]


def test_a_legacy_key_and_an_email_of_its_own(network: Advertiser) -> None:
    """Given when the key was imported; the e-mail counts only then."""
    imported = {"reporting_api_key": "rk-of-legacy", "legacy_api_key": "legacy-1", "email": "Ana@acme.example"}
    network.server.services.access.keys.create(network.account, "tapjoy", imported=imported)
    for key in ("legacy-1", "rk-of-legacy"):
        for email, status in (("ana@acme.example", 200), ("bob@acme.example", 401), ("", 401)):
            answer = network.http.get("/reporting_data.json", params={"email": email, "api_key": key})
            assert answer.status_code == status
    assert network.ask_token("Basic legacy-1").status_code == 401  # it is for this report alone


def test_other_methods_and_the_xml_form(network: Advertiser) -> None:
    answer = network.http.post("/reporting_data.json")
    assert (answer.status_code, answer.json()) == (405, {"error": "Method not allowed"})
    assert "GET" in answer.headers["allow"]
    assert network.http.get("/reporting_data.xml").status_code == 404


def test_a_client_finds_the_groups_that_cost_and_asks_for_their_insights(network: Advertiser) -> None:
    """As the published importer does: apps whose spend is below 0, then insights once per key."""
    spent = [app["AppKey"] for app in ask(network, "date=2026-11-21").json()["Apps"] if app["Spend"] < 0]
    assert spent == ["A1", "A2"]
    assert [network.insights("time_preset=yesterday", group)["installs_spend"][0][1] for group in spent] == [-15.75, -6]
