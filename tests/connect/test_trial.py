"""A client's call, made by the server against itself: with which key, how large, and when it is refused."""

from __future__ import annotations

from contextlib import ExitStack

import httpx
import pytest

from airtally.connect import trial
from airtally.connect.exchange import HIDDEN, MOST_EXCHANGES, ClientRequest, ServerAnswer, exchanged


def ready(client):
    """For the call of Tapjoy."""
    client.send("ad_groups", [{"ad_group_id": client.account.slug, "name": "G", "platform": "iOS"}])
    return "/api/v1/connections/tapjoy/try"


def test_a_given_key_is_used_and_not_shown(joined):
    client = joined()
    path = ready(client)
    made = client.http.post("/api/v1/keys", json={"kind": "tapjoy"}).json()["credentials"]
    tried = client.http.post(path, json={"credentials": made})
    assert tried.json()["status"] == 200
    assert made["reporting_api_key"] not in tried.text
    wrong = client.http.post(path, json={"credentials": {"reporting_api_key": "wrong-key-0123456789"}}).json()
    assert (wrong["status"], wrong["body"]) == (401, '{"error":"Unauthorized"}')
    assert len(wrong["exchanges"]) == 1


@pytest.mark.parametrize("credentials", [{}, {"reporting_api_key": "a\nb"}, {"reporting_api_key": 7}, {"no": "such"}])
def test_a_key_that_is_none_is_refused(joined, credentials):
    client = joined()
    assert client.http.post(ready(client), json={"credentials": credentials}).status_code == 400


def test_no_more_than_two_calls_at_once(joined):
    client = joined()
    path = ready(client)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(trial._turn())
        assert client.http.post(path, json={}).status_code == 429
    assert client.http.post(path, json={}).status_code == 200


def test_whoever_only_reads_makes_no_call(joined):
    client = joined()
    key = client.http.post("/api/v1/keys", json={"kind": "native", "scopes": ["read"]}).json()["credentials"]["token"]
    with httpx.Client(base_url=client.http.base_url, headers={"Authorization": f"Bearer {key}"}) as reader:
        assert reader.get("/api/v1/connections/tapjoy").status_code == 200
        assert reader.post(ready(client), json={}).status_code == 403
    assert client.http.get("/api/v1/connections/none").status_code == 404


def test_a_client_that_asks_on_and_on_is_ended(monkeypatch):
    monkeypatch.setattr("airtally.connect.exchange.MOST_SECONDS", 0.05)

    def calls():
        while True:
            yield ClientRequest("GET", "/?key=se%2Fcret", {}, b"se/cret", wait=0.005)

    found = exchanged(calls(), lambda _: ServerAnswer(200, (("X", "se/cret"),), b"a se/cret", whole=False), ["se/cret"])
    assert 1 < len(found) <= MOST_EXCHANGES
    assert found[-1].body == f"a {HIDDEN}"
    assert found[-1].headers == {"X": HIDDEN}
    assert (found[-1].path, found[-1].request_body, found[-1].truncated) == (f"/?key={HIDDEN}", HIDDEN, True)
