"""Calls of web pages from other origins, as browsers make them."""

from __future__ import annotations

import httpx
import pytest

PAGE = "https://charts.example.org"
ASK = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


@pytest.fixture
def site(start_server):
    return start_server(cors_origins=(PAGE,)).url


@pytest.mark.parametrize("path", ["/api/v1/query", "/api/v1/streams/playlogs/events", "/api/v1/tokens"])
def test_a_browser_asks_before_it_calls(site, path):
    answer = httpx.options(site + path, headers=ASK | {"Origin": PAGE})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert {"Authorization", "Content-Type"} <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{PAGE}.evil.example", "http://charts.example.org"]
)
def test_another_origin_may_not_call(site, origin):
    asked = httpx.options(f"{site}/api/v1/query", headers=ASK | {"Origin": origin})
    called = httpx.post(f"{site}/api/v1/query", headers={"Origin": origin}, json={})
    for answer in (asked, called):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_page_reads_answers_and_errors(site):
    answer = httpx.get(f"{site}/api/v1/openapi.json", headers={"Origin": PAGE})
    refused = httpx.post(f"{site}/api/v1/query", headers={"Origin": PAGE}, json={})
    assert (answer.status_code, refused.status_code) == (200, 401)
    for each in (answer, refused):
        assert each.headers["Access-Control-Allow-Origin"] == PAGE
        assert "ETag" in each.headers["Access-Control-Expose-Headers"]
        assert "Origin" in each.headers["Vary"]


def test_no_other_area_takes_part(site):
    for path in ("/login", "/stable", "/healthz"):
        answer = httpx.get(site + path, headers={"Origin": PAGE}, follow_redirects=False)
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_by_default_nobody_may_call(start_server):
    url = start_server().url
    answer = httpx.options(f"{url}/api/v1/query", headers=ASK | {"Origin": PAGE})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert httpx.get(f"{url}/api/v1/openapi.json", headers={"Origin": PAGE}).headers["Vary"] == "Accept-Encoding"


def test_all_origins(start_server):
    url = start_server(cors_origins=("*",)).url
    assert (
        httpx.get(f"{url}/api/v1/openapi.json", headers={"Origin": "null"}).headers["Access-Control-Allow-Origin"]
        == "null"
    )
