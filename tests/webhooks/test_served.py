"""Webhooks of a running server, from what happens to what is sent: over HTTP, to a real receiver and a real mail server, on a clock that moves."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from airtally.kit.clock import MovableClock
from airtally.kit.time import to_datetime
from airtally.settings import Settings
from fixtures.native import Native
from fixtures.receiver import Receiver, receiver
from fixtures.server import LiveServer
from fixtures.smtp import mailbox, smtp_url

__all__ = ["mailbox", "receiver", "smtp_url"]

MINUTE = 60
ROWS = {"rows": {"stream": "playlogs", "range": "yesterday"}, "compression": "none"}
PERSON = {"name": "Ana", "email": "ana@example.com"}


@pytest.fixture
def clock():
    """It begins now, as the library takes no notice that is older than five minutes."""
    return MovableClock(time.time_ns() // 1000)


@pytest.fixture
def server(tmp_path, clock, smtp_url):
    settings = Settings(
        home=tmp_path / "home",
        rate_limits=False,
        smtp_url=smtp_url,
        outgoing_allow=(ipaddress.ip_network("127.0.0.0/8"),),
    )
    server = LiveServer(settings, clock).start()
    yield server
    server.stop()


@pytest.fixture
def acme(server, opened):
    return opened(Native(server, "acme", scopes=("read", "write", "admin")))


def call(native: Native, method: str, path: str, status: int = 200, **more: Any) -> Any:
    answer = native.http.request(method, f"/api/v1{path}", **more)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def webhook(native: Native, url: str, **more: Any) -> dict[str, Any]:
    made = call(native, "POST", "/webhooks", 201, json={"url": url} | more)
    return made["webhook"] | {"secret": made["secret"]}


def settled(native: Native, delivery: int, state: str = "delivered") -> dict[str, Any]:
    def found() -> Any:
        shown = call(native, "GET", f"/deliveries/{delivery}")
        return shown if shown["delivery"]["state"] == state else None

    return until(found)


def verified(secret: str, receiver: Receiver, number: int) -> dict[str, Any]:
    """A notice as the reference library takes it; raises WebhookVerificationError for another signature or an old time."""
    told: dict[str, Any] = Webhook(secret).verify(receiver.bodies[number], receiver.headers[number])
    return told


def test_a_schedule_sends_a_signed_webhook(acme, clock, receiver):
    yesterday = to_datetime(clock.now_us()) - timedelta(days=1)
    acme.send("playlogs", [{"played_at": yesterday.strftime("%Y-%m-%dT12:00:00"), "player_id": 1, "media_id": 7}])
    made = webhook(acme, receiver.url, event_types=["schedule.delivered"])
    schedule = {"name": "Plays", "cron": "* * * * *", "export": ROWS, "deliver": {"webhooks": True}}
    asked = call(acme, "POST", "/schedules", 201, json=schedule)
    clock.advance(MINUTE)
    receiver.wait(1)
    told = verified(made["secret"], receiver, 0)
    assert told["type"] == "schedule.delivered"
    assert told["data"]["schedule"] == {"id": asked["id"], "name": "Plays"}
    (file,) = told["data"]["export"]["files"]
    assert len(acme.http.get(file["url"], headers={"Authorization": ""}).text.splitlines()) == 1 + file["rows"] == 2
    (run,) = until(
        lambda: [
            each for each in call(acme, "GET", f"/schedules/{asked['id']}/runs")["items"] if each["state"] == "done"
        ]
    )
    (delivery,) = call(acme, "GET", "/deliveries", params={"state": "delivered"})["items"]
    assert delivery["message"] == run["message_id"] == receiver.headers[0]["webhook-id"]
    assert len(receiver.bodies) == 1


def test_a_schedule_whose_webhook_fails_tells_by_mail(server, acme, clock, receiver, mailbox):
    """The receiver is gone for good: it is disabled, its people are told, and the run says why it failed."""
    server.services.access.users.create(acme.account, username="ana", password="correct horse battery", **PERSON)
    receiver.answers = [410]
    made = webhook(acme, receiver.url, event_types=["schedule.delivered"])
    deliver = {"endpoints": [made["id"]]}
    asked = call(
        acme, "POST", "/schedules", 201, json={"name": "Plays", "cron": "* * * * *", "export": ROWS, "deliver": deliver}
    )
    clock.advance(MINUTE)
    (run,) = until(
        lambda: [
            each for each in call(acme, "GET", f"/schedules/{asked['id']}/runs")["items"] if each["state"] == "failed"
        ]
    )
    assert f"webhook {made['id']}" in run["reason"]
    until(lambda: len(mailbox.messages) >= 2)
    subjects = sorted(str(each["Subject"]) for each in mailbox.messages)
    assert [each["To"] for each in mailbox.messages] == ["ana@example.com"] * 2
    assert any("was disabled" in each for each in subjects), subjects
    assert any("Plays" in each for each in subjects), subjects
    shown = call(acme, "GET", f"/webhooks/{made['id']}")
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "It answered 410 Gone")


def test_the_secret_is_shown_once_and_rotates(acme, receiver):
    made = webhook(acme, receiver.url)
    assert made["secret"].startswith("whsec_")
    shown = call(acme, "GET", f"/webhooks/{made['id']}")
    assert "secret" not in shown
    assert call(acme, "GET", "/webhooks")["items"] == [shown]
    rotated = call(acme, "POST", f"/webhooks/{made['id']}/rotate")
    assert rotated["secret"] != made["secret"]
    settled(acme, call(acme, "POST", f"/webhooks/{made['id']}/ping", 202)["id"])
    for secret in (made["secret"], rotated["secret"]):
        assert verified(secret, receiver, 0)["type"] == "ping"
    with pytest.raises(WebhookVerificationError):
        verified("whsec_" + "A" * 43 + "=", receiver, 0)
    trail = json.dumps(call(acme, "GET", "/audit")["items"])
    assert "webhook.rotate" in trail
    assert "whsec_" not in trail


def test_a_delivery_shows_its_tries_and_is_sent_again(acme, receiver):
    receiver.answers, receiver.more_headers = [500, 200], {"X-Trace": "abc"}
    made = webhook(acme, receiver.url, event_types=["ping"])
    first = call(acme, "POST", f"/webhooks/{made['id']}/ping", 202)
    assert (first["state"], first["event_type"], first["webhook"]) == ("due", "ping", made["id"])
    receiver.wait(1)
    failed = until(lambda: call(acme, "GET", f"/deliveries/{first['id']}")["tries"] or None)
    assert (failed[0]["status_code"], failed[0]["error"], failed[0]["body"]) == (500, "It answered 500", "ok")
    assert failed[0]["headers"]["x-trace"] == "abc"
    call(acme, "POST", f"/deliveries/{first['id']}/redeliver", 202)
    done = settled(acme, first["id"])
    assert [each["status_code"] for each in done["tries"]] == [500, 200]
    assert done["payload"].encode() == receiver.bodies[0] == receiver.bodies[1]
    assert {each["webhook-id"] for each in receiver.headers} == {done["delivery"]["message"]}
    listed = call(acme, "GET", "/deliveries", params={"webhook": made["id"], "state": "delivered"})["items"]
    assert [each["id"] for each in listed] == [first["id"]]
    assert call(acme, "GET", "/deliveries", params={"webhook": made["id"] + 1})["items"] == []


def test_a_webhook_is_changed_held_enabled_and_deleted(acme, receiver):
    made = webhook(acme, receiver.url, description="Files", event_types=["ping"])
    path = f"/webhooks/{made['id']}"
    assert call(acme, "PATCH", path, json={"every_type": True})["event_types"] is None
    assert call(acme, "PATCH", path, json={"description": "x"})["event_types"] is None
    assert call(acme, "PATCH", path, json={"enabled": False})["disabled_reason"] == "Disabled by its owner"
    call(acme, "POST", f"{path}/ping", 409)
    assert call(acme, "PATCH", path, json={"enabled": True})["disabled_reason"] is None
    call(acme, "PATCH", path, 422, json={"event_types": ["nothing.of.the.kind"]})
    call(acme, "POST", "/webhooks", 422, json={"url": "http://169.254.169.254/"})
    call(acme, "DELETE", path, 204)
    call(acme, "GET", path, 404)


def test_listings_have_pages(acme, receiver):
    ids = [webhook(acme, f"{receiver.url}/{number}")["id"] for number in range(3)]
    page = call(acme, "GET", "/webhooks", params={"limit": 2})
    rest = call(acme, "GET", "/webhooks", params={"limit": 2, "cursor": page["next"]})
    assert [each["id"] for each in page["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None


def test_the_end_of_an_export_is_told(acme, receiver):
    made = webhook(acme, receiver.url, event_types=["export.done"])
    export = call(acme, "POST", "/exports", 202, json=ROWS)
    until(lambda: receiver.bodies)
    told = verified(made["secret"], receiver, 0)
    assert (told["type"], told["data"]["export"]["id"]) == ("export.done", export["id"])
    assert call(acme, "GET", f"/exports/{export['id']}/parts")["items"][0]["sha256"]
