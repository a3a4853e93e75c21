"""The overview of an account, its activity, and the status of the server with its accounts."""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import update

from airtally.accounts.permissions import UserRole
from airtally.database.tables import jobs
from airtally.kit.time import DAY_US, to_datetime
from airtally.streams import STREAMS
from fixtures.accounts import NOW_US

ZONES = ("America/Sao_Paulo", "Asia/Kathmandu", "UTC")


@pytest.fixture
def operator(api_server):
    """An operator's calls; the account has the operator alone."""
    access = api_server.services.access
    name = f"op{secrets.token_hex(4)}"
    account = access.accounts.create(name, name)
    user = access.users.create(
        account, username=name, name=name, email="o@x.org", password="long enough", role=UserRole.OPERATOR
    )
    token = access.keys.create(account, "native", user=user).credentials["token"]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{api_server.url}/api/v1", headers=headers, timeout=60) as http:
        yield http


def get(client, path, **params):
    answer = client.http.get(f"/api/v1{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def clicks(client, times):
    """Of an ad group of the account, which no other may have."""
    send(client, "ad_groups", [{"ad_group_id": client.account.slug, "name": "g", "platform": "iOS"}])
    return [
        {"id": secrets.token_hex(6), "ad_group_id": client.account.slug, "kind": "paid_click", "time": each.isoformat()}
        for each in times
    ]


def send(client, stream, rows):
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    answer = client.send(stream, body).json()
    assert answer["rejected"] == 0, answer
    return answer


@pytest.mark.parametrize("timezone", ZONES)
def test_rows_are_counted_by_the_days_and_hours_of_the_zone(api_server, join, timezone):
    """Against a naive count of what was sent, over 40 days: instants of one stream, local times of another."""
    client, zone = join(api_server, timezone=timezone), ZoneInfo(timezone)
    now = to_datetime(NOW_US)
    moments = [now - timedelta(minutes=97 * number) for number in range(600)]
    rows = clicks(client, moments)
    send(client, "ad_events", rows)
    send(client, "ad_events", rows[:50])  # again: counted once
    plays = [
        {"id": f"{n}", "player_id": 1, "media_id": 2, "played_at": f"{each.astimezone(zone):%Y-%m-%dT%H:%M:%S}"}
        for n, each in enumerate(moments)
    ]
    send(client, "playlogs", plays)
    today = now.astimezone(zone).date()
    days = [today - timedelta(days=29 - number) for number in range(30)]
    for grain, found in (("day", get(client, "/activity")), ("hour", get(client, "/activity", grain="hour"))):
        assert (found["timezone"], found["grain"]) == (timezone, grain)
        by_stream = {each["stream"]: each for each in found["streams"]}
        assert list(by_stream) == ["playlogs", "ad_groups", "ad_events"]
        for stream in ("playlogs", "ad_events"):
            shown = by_stream[stream]
            starts = [datetime.fromisoformat(each) for each in shown["times"]]
            if grain == "day":
                assert [(each.date(), each.hour) for each in starts] == [(day, 0) for day in days]
                naive = [sum(each.astimezone(zone).date() == day for each in moments) for day in days]
            else:
                assert starts[0] <= now - timedelta(hours=22) < starts[-1] <= now < starts[-1] + timedelta(hours=1)
                naive = [sum(each <= at < each + timedelta(hours=1) for at in moments) for each in starts]
                assert len(starts) == 24
            assert (shown["rows"], shown["error"]) == (naive, None)
        # all but today's were received today, for the days before; those of the last 50 came twice
        before = [each.astimezone(zone).date() for each in moments]
        late = sum(days[0] <= day < today for day in before)
        assert by_stream["playlogs"]["late_rows"] == late
        assert by_stream["ad_events"]["late_rows"] == late + sum(day < today for day in before[:50])


def test_activity_follows_what_comes_in_and_is_an_accounts_own(api_server, join, client):
    other = join(api_server)
    assert get(client, "/activity")["streams"] == []
    for count in (1, 2, 3):
        send(client, "ad_events", clicks(client, [to_datetime(NOW_US)]))
        [shown] = get(client, "/activity", stream="ad_events")["streams"]
        assert (shown["rows"][-1], sum(shown["rows"])) == (count, count)
        api_server.services.storage.event_store.flush()
    assert get(other, "/activity")["streams"] == []
    assert get(client, "/activity", stream="nothing")["streams"] == []
    assert client.http.get("/api/v1/activity", params={"grain": "week"}).status_code == 422


def test_what_fails_and_was_refused_is_counted(api_server, client, join):
    other, services = join(api_server), api_server.services
    assert set(get(client, "/overview").values()) == {0, None}
    client.send("playlogs", b'{"player_id": "x"}\n' * 3)
    webhooks = services.webhooks
    endpoint = webhooks.endpoints.create(client.account, "https://nowhere.invalid/").endpoint.id
    webhooks.deliveries.ping(client.account, endpoint)
    with services.store.begin() as connection:
        for number, state in enumerate(("failed", "failed", "done", "cancelled")):
            job = services.jobs.add(connection, "report", f"{client.account.slug} {number}", client.account.id)
            connection.execute(update(jobs).where(jobs.c.id == job).values(state=state, updated_at=NOW_US))
        old = services.jobs.add(connection, "report", f"{client.account.slug} old", client.account.id)
        aged = {"state": "failed", "updated_at": NOW_US - 8 * DAY_US}
        connection.execute(update(jobs).where(jobs.c.id == old).values(aged))
    found = get(client, "/overview")
    assert (found["jobs_failed"], found["rows_refused"], found["jobs_running"]) == (2, 3, 0)
    assert set(get(other, "/overview").values()) == {0, None}


def test_the_status_of_the_server(api_server, client, operator):
    send(client, "playlogs", [{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}])
    found = operator.get("/status").json()
    ready = httpx.get(f"{api_server.url}/readyz").json()
    assert found["ready"] is True
    assert {each["name"]: each["problem"] for each in found["checks"]}.keys() == ready["checks"].keys()
    assert found["version"] == ready.get("version", found["version"])
    assert all(0 < each["free"] <= each["size"] for each in found["disks"])
    assert found["buffer"]["max_bytes"] == api_server.services.settings.buffer_max
    assert {"flush", "maintenance", "alarms"} <= {each["name"] for each in found["background"] if each["alive"]}
    api_server.services.storage.event_store.flush()
    after = operator.get("/status").json()
    assert after["lake"]["rows"] >= 1
    assert client.http.get("/api/v1/status").status_code == 403


def test_the_status_of_accounts(api_server, client, join, operator):
    other = join(api_server)
    send(client, "playlogs", [{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}] * 4)
    client.send("playlogs", b'{"player_id": "x"}\n')
    api_server.services.usage.metering.step()
    items, cursor = {}, None
    while True:
        page = operator.get("/status/accounts", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        assert len(page["items"]) <= 3
        items |= {each["slug"]: each for each in page["items"]}
        cursor = page["next"]
        if cursor is None:
            break
    assert list(items) == [each.slug for each in api_server.services.access.accounts.all()]
    mine, theirs = items[client.account.slug], items[other.account.slug]
    assert (mine["rows_today"], mine["refused_today"], mine["standing"]["rows_refused"]) == (4, 1, 1)
    assert (theirs["rows_today"], theirs["last_received"], theirs["standing"]["rows_refused"]) == (0, None, 0)
    fresh = client.http.get("/api/v1/freshness").json()["items"]
    assert mine["last_received"] == max(each["last_received"] for each in fresh if each["last_received"])
    assert client.http.get("/api/v1/status/accounts").status_code == 403
    assert set(STREAMS) == {each["stream"] for each in fresh}
