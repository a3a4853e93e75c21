"""`GET /api/v1/usage`: what an account's calls have come to, for itself and for operators."""

from __future__ import annotations

import time

import httpx

from airtally.accounts.permissions import UserRole

PLAY = b'{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}\n'


def usage_once(client, right, **asked):
    """The total, as soon as it is right: it is added every few seconds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        client.server.services.usage.metering.step()
        answer = client.http.get("/api/v1/usage", params=asked).json()
        if right(answer["total"]):
            return answer
        time.sleep(0.05)
    raise AssertionError(answer)


def test_rows_are_counted_as_they_were_answered(api_server, client):
    client.server = api_server
    wrong = b'{"player_id": "x"}\n'
    sent = [PLAY * 3 + wrong, PLAY * 5000, wrong, PLAY]
    for body in sent:
        assert client.send("playlogs", body).status_code == 200
    again = [client.send("playlogs", PLAY * 2, **{"Idempotency-Key": "once"}).json() for _ in range(2)]
    assert again[0] == again[1]
    assert client.send("playlogs", b"no rows", media_type="text/unknown").status_code == 415
    size = sum(map(len, sent)) + 2 * len(PLAY)
    answer = usage_once(client, lambda total: total["requests"] >= 7)
    total = answer["total"]
    assert (total["rows_accepted"], total["rows_refused"], total["bytes_in"]) == (5006, 2, size)
    assert answer["timezone"] == "UTC"
    assert [each["kind"] for each in answer["usage"]] == ["native"]


def test_what_is_sent_out_is_counted_by_api(api_server, client):
    client.server = api_server
    secret = api_server.services.access.keys.create(client.account, "fouryousee").credentials["secret_token"]
    client.send("playlogs", PLAY)
    asked = {"stream": "playlogs", "metrics": ["count"], "dimensions": ["player_id"]}
    bodies = [client.http.post("/api/v1/query", json=asked), client.http.post("/api/v1/query", json=asked)]
    page = httpx.get(f"{api_server.url}/v1/users", headers={"Secret-Token": secret}, timeout=60)
    answer = usage_once(client, lambda total: total["rows_out"] >= 2 and total["requests"] >= 4)
    by_kind = {each["kind"]: each for each in answer["usage"]}
    assert by_kind["native"]["rows_out"] == 2
    assert by_kind["native"]["bytes_out"] >= sum(len(each.content) for each in bodies)
    vendor = by_kind["fouryousee"]
    assert (vendor["requests"], vendor["bytes_out"], vendor["rows_accepted"]) == (1, len(page.content), 0)


def test_intervals(api_server, client):
    client.server = api_server
    client.send("playlogs", PLAY)
    usage_once(client, lambda total: total["rows_accepted"] == 1)
    month = client.http.get("/api/v1/usage", params={"grain": "month", "start": "2026-10-15", "end": "2026-12-01"})
    assert [(each["start"], each["rows_accepted"]) for each in month.json()["usage"]] == [("2026-11-01", 1)]
    before = client.http.get("/api/v1/usage", params={"start": "2026-10-01", "end": "2026-11-02"}).json()
    assert before["usage"] == []
    for wrong in (
        {"start": "2026-11-02", "end": "2026-11-02"},
        {"start": "2020-01-01", "end": "2026-01-01"},
        {"start": "yesterday"},
        {"end": "0001-01-01"},
        {"grain": "hour"},
        {"of": "another"},
    ):
        assert client.http.get("/api/v1/usage", params=wrong).status_code == 422, wrong


def test_operators_see_each_account_once(api_server, join):
    client, other = join(api_server), join(api_server)
    for each, rows in ((client, 1), (other, 2)):
        each.server = api_server
        each.send("playlogs", PLAY * rows)
        usage_once(each, lambda total, rows=rows: total["rows_accepted"] == rows)
    user = api_server.services.access.users.create(
        *(client.account,), username=f"operator-{client.account.slug}", name="O", email="o@x.org",
        password="long enough", role=UserRole.OPERATOR,
    )  # fmt: skip
    token = api_server.services.access.keys.create(client.account, "native", user=user).credentials["token"]
    found, cursor = [], None
    with httpx.Client(base_url=api_server.url, headers={"Authorization": f"Bearer {token}"}) as operator:
        while cursor is not None or not found:
            params = {"limit": 1} | ({} if cursor is None else {"cursor": cursor})
            page = operator.get("/api/v1/usage/accounts", params=params).json()
            found += page["items"]
            cursor = page["next"]
    mine = [
        (each["slug"], each["rows_accepted"])
        for each in found
        if each["slug"] in {client.account.slug, other.account.slug}
    ]
    assert mine == [(client.account.slug, 1), (other.account.slug, 2)]
    assert len({each["slug"] for each in found}) == len(found)
    assert client.http.get("/api/v1/usage/accounts").status_code == 403
