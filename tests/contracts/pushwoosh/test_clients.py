"""What published clients do, as they do it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests

from fixtures.push import DAY, Push


def asked(push: Push, **more: Any) -> dict[str, Any]:
    return {"auth": push.token, "application": push.x, "event": "CartOpen"} | DAY | more


def test_a_loop_that_reads_status_codes_after_200_and_210_alone(push: Push) -> None:
    """makcyd/pushwoosh_api: a bare string for a body, and again at once on any other HTTP status."""

    def send(method: str, request: dict[str, Any]) -> dict[str, Any]:
        for _ in range(20):
            answer = requests.post(
                f"{push.server.url}/json/1.3/{method}", data=json.dumps({"request": request}), timeout=30
            )
            if answer.status_code in {200, 210}:
                return dict(answer.json())
        raise AssertionError("it would try for ever")

    scheduled = send("getEventStatistics", asked(push))
    while (result := send("getResults", {"auth": push.token, **scheduled["response"]}))["status_code"] != 200:
        time.sleep(0.01)
    assert len(result["response"]) == 24
    assert send("getEventStatistics", asked(push, event="None"))["status_code"] == 210
    assert send("getResults", {"auth": push.token, "request_id": "DC1_x"})["status_code"] == 210


def test_a_reader_that_asks_once_in_the_same_second(push: Push) -> None:
    """The Firebase app: the result is read at once and once; what is falsy is an error."""
    with requests.Session() as session:
        url = f"{push.server.url}/json/1.3"
        request = {"auth": push.token, "tag": "Topics"}
        scheduled = session.post(f"{url}/getTagStats", json={"request": request}, timeout=120).json()
        request = {"auth": push.token, "request_id": scheduled["response"]["request_id"]}
        result = session.post(f"{url}/getResults", json={"request": request}, timeout=120).json()
        assert result["response"], result["status_message"]
        assert session.get(result["response"]["fileName"], timeout=120).text.startswith(f"{push.y};sport;1\n")


@pytest.mark.parametrize(
    ("verb", "method", "body", "status"),
    [
        ("POST", "getResults", b'{"request":{}}', 200),
        ("POST", "getResults", b"{", 400),
        ("POST", "getNothing", b'{"request":{}}', 200),
        ("GET", "getResults", b"", 405),
        ("POST", "getResults", b" " * (1 << 20) + b"{}", 413),
    ],
)
def test_every_body_is_an_object_with_a_whole_number(
    push: Push, verb: str, method: str, body: bytes, status: int
) -> None:
    """Pypushwoosh parses whatever comes; php-pushwoosh and the browser SDK compare status_code strictly."""
    answer = requests.request(verb, f"{push.server.url}/json/1.3/{method}", data=body, timeout=120)
    envelope = answer.json()
    assert answer.status_code == status
    assert list(envelope) == ["status_code", "status_message", "response"]
    assert (type(envelope["status_code"]), type(envelope["status_message"])) == (int, str)
    assert envelope["response"] is None


def test_credentials_added_to_every_call(push: Push) -> None:
    """yyoshiki41/go-pushwoosh sends `application` with everything, and cleans its paths."""
    scheduled = push.call("getTagStats", tag="Topics", application=push.x)["response"]
    answer = push.call("getResults", application=push.x, **scheduled)
    assert list(answer["response"]) == ["fileName"]


def test_a_browser_that_looks_for_more(push: Push) -> None:
    """The browser SDK moves to another endpoint when it sees `base_url`."""
    body = json.dumps({"request": asked(push, v="3.55", userId="u", language="fr")})
    headers = {"Content-Type": "text/plain;charset=UTF-8", "Origin": "https://shop.example", "Authorization": "Token x"}
    answer = requests.post(f"{push.server.url}/json/1.3/getEventStatistics", data=body, headers=headers, timeout=120)
    assert list(answer.json()) == ["status_code", "status_message", "response"]
    assert answer.headers["access-control-allow-credentials"] == "true"


def test_one_connection_for_many_calls(push: Push) -> None:
    with requests.Session() as session:
        url = f"{push.server.url}/json/1.3/getEventStatistics"
        for content in (json.dumps({"request": asked(push)}), iter([json.dumps({"request": asked(push)}).encode()])):
            answer = session.post(url, data=content, timeout=120)
            assert answer.json()["status_code"] == 200
            assert answer.headers.get("connection", "keep-alive") == "keep-alive"
