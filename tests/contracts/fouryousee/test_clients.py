"""The published client, browsers, unknown paths, the page: docs/vendors/fouryousee.md#1, #9."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import fouryousee.fouryousee as published
import httpx
import pytest

from airtally.kit.faults import Faults
from fixtures.opened import Opened
from fixtures.signage import DAY, P1, P2, P3, Site


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Callable[[Site], Any]:
    """The client of the site, as users make it: only its base URL is changed. It does not sleep here."""
    monkeypatch.setattr(published, "time", SimpleNamespace(sleep=lambda _: None))

    def make(site: Site) -> Any:
        monkeypatch.setattr(published.FouryouseeAPI, "url", f"{site.server.url}/v1/")
        return published.FouryouseeAPI(site.token)

    return make


def test_row_41_the_client_lists_250_reports(own_site: Callable[..., Site], client: Callable[[Site], Any]) -> None:
    site = own_site()
    for _ in range(250):
        site.ask(startDate="2026-09-01", endDate="2026-09-01")
    found = client(site).get_reports()
    assert len(found) == 250
    assert all(len(report) == 8 for report in found)


def test_row_42_the_client_asks_for_a_report_and_fetches_it(plays: Site, client: Callable[[Site], Any]) -> None:
    my = client(plays)
    asked = my.request_report(filter=DAY | {"sort": 1})
    assert asked["status"] == "waiting"
    plays.ended(asked["id"])
    report = my.get_reports(id=asked["id"])
    assert (report["id"], report["status"]) == (asked["id"], "success")
    text = gzip.decompress(httpx.get(report["url"]).content).decode()
    assert [line["time"] for line in map(_evaluated, text.splitlines())] == ["08:00:00", "08:00:10", "23:59:59"]


def _evaluated(line: str) -> Any:
    """As one receiver reads a line: as Python, after swapping quote marks."""
    return eval(line.replace('"', "'"), {"__builtins__": {}})


def test_row_43_the_client_raises_the_raw_text(site: Site, client: Callable[[Site], Any]) -> None:
    with pytest.raises(Exception, match="not found") as failed:
        client(site).get_reports(id=999999)
    assert str(failed.value) == '{"message":"Report with ID 999999 was not found"}'


def test_the_client_reads_players_medias_and_users(site: Site, client: Callable[[Site], Any]) -> None:
    site.send("players", {"player_id": 2, "name": "Lobby"})
    site.send("medias", {"media_id": 48, "name": "Coffee"})
    my = client(site)
    assert [player["id"] for player in my.get_players()] == [2]
    assert my.get_players(id=2)["name"] == "Lobby"
    assert my.get_medias(id=48)["name"] == "Coffee"
    assert [media["id"] for media in my.get_medias(name="coff")] == [48]
    assert my.get_users() == []


@pytest.mark.parametrize("path", ["reports", "reports/1", "players", "players/2", "medias", "medias/2", "users"])
def test_row_44_a_browsers_preflight(site: Site, path: str) -> None:
    headers = {
        "Origin": "https://panel.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "secret-token",
    }
    with site.client(None) as http:
        answer = http.options(f"/v1/{path}", headers=headers)
    assert answer.status_code == 204
    assert "Secret-Token" in answer.headers["access-control-allow-headers"]
    assert "Content-Type" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "*"
    got = site.get("/v1/players", headers={"Origin": "https://panel.example"})
    assert got.headers["access-control-allow-origin"] == "*"


def test_a_browser_may_read_the_errors_too(site: Site) -> None:
    with site.client(None) as http:
        answer = http.get("/v1/players", headers={"Origin": "https://panel.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "*")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/playlogs", 404),
        ("DELETE", "/v1/reports/1", 405),
        ("PUT", "/v1/reports/1", 405),
        ("DELETE", "/v1/players", 405),
        ("GET", "/v1/", 404),
        ("GET", "/v1/reports/1/2", 404),
        ("POST", "/v1/playlogs", 404),
    ],
)
def test_row_45_paths_and_methods_that_are_none(site: Site, method: str, path: str, status: int) -> None:
    answer = site.http.request(method, path)
    assert answer.status_code == status
    assert isinstance(answer.json()["message"], str)
    if status == 404:
        assert answer.text == '{"message":"Resource not found."}'


class FailsOnce(Faults):
    def __init__(self) -> None:
        self.left = 1

    def reach(self, point: str) -> None:
        if point == "report.build" and self.left:
            self.left -= 1
            raise RuntimeError("the test wants it")


@pytest.fixture
def logged_in(own_site: Callable[..., Site], opened: Opened) -> Site:
    """A site whose first report failed, with a browser that is logged in."""
    site = own_site(faults=FailsOnce())
    site.server.services.access.users.create(
        site.account, username="ana", name="Ana", email="ana@example.com", password="a long password"
    )
    site.ended(site.ask())
    browser = opened(httpx.Client(base_url=site.server.url, follow_redirects=True))
    form = browser.get("/admin/reports_api.php")
    token = re.search(r'name="csrf_token" value="([^"]+)"', form.text)
    assert token is not None
    data = {
        "csrf_token": token[1],
        "username": "ana",
        "password": "a long password",
        "next": "/admin/reports_api.php",
    }
    site.browser = browser  # type: ignore[attr-defined]
    assert browser.post("/login", data=data).status_code == 200
    return site


def test_row_46_the_page_lists_what_was_generated(logged_in: Site) -> None:
    logged_in.send("playlogs", P1, P2, P3)
    reports = [logged_in.ended(logged_in.ask()) for _ in range(2)]
    answer = logged_in.browser.get("/admin/reports_api.php")  # type: ignore[attr-defined]
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    generated, _, others = answer.text.partition("Under way, or not generated")
    assert re.findall(r'/reports/(\d+)">\d+</a></td>', generated) == [str(each["id"]) for each in reversed(reports)]
    for report in reports:
        assert report["url"].replace("&", "&amp;") in generated
    assert "Failed: A fault in the server (RuntimeError)" in others


def test_row_46_the_page_without_a_session(site: Site) -> None:
    answer = httpx.get(f"{site.server.url}/admin/reports_api.php")
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/login")
