"""Webhooks and what is delivered to them, over HTTP, with a real receiver."""

from __future__ import annotations

import time
from ipaddress import ip_network

import pytest
from standardwebhooks import Webhook


@pytest.fixture
def admin(start_server, join):
    server = start_server(outgoing_allow=(ip_network("127.0.0.0/8"),))
    client = join(server, scopes=("admin",))
    client.server = server
    return client


def waited(look, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come")


def lowered(headers):
    return {name.lower(): value for name, value in headers.items()}


def ended(client, delivery, state):
    def look():
        found = client.http.get(f"/api/v1/deliveries/{delivery}").json()
        return found if found["delivery"]["state"] == state else None

    return waited(look)


def test_a_test_message_arrives_signed_and_is_shown(admin, receiver):
    made = admin.http.post("/api/v1/webhooks", json={"url": receiver.url, "description": "On-call"})
    assert made.status_code == 201, made.text
    webhook, secret = made.json()["webhook"], made.json()["secret"]
    assert admin.http.get("/api/v1/webhooks").json()["items"] == [webhook]
    asked = admin.http.post(f"/api/v1/webhooks/{webhook['id']}/ping", json={})
    assert asked.status_code == 202
    found = ended(admin, asked.json()["id"], "delivered")
    assert found["tries"][0]["status_code"] == 200
    body, headers = receiver.bodies[0], lowered(receiver.headers[0])
    assert Webhook(secret).verify(body, headers)["type"] == "ping"
    shown = lowered(found["tries"][0]["request_headers"])
    assert shown == {name: headers[name] for name in ("content-type", "webhook-id", "webhook-timestamp")}
    assert found["payload"].encode() == body


def test_a_message_is_delivered_again_with_the_same_id(admin, receiver):
    webhook = admin.http.post("/api/v1/webhooks", json={"url": receiver.url}).json()["webhook"]
    delivery = admin.http.post(f"/api/v1/webhooks/{webhook['id']}/ping", json={}).json()["id"]
    ended(admin, delivery, "delivered")
    assert admin.http.post(f"/api/v1/deliveries/{delivery}/redeliver", json={}).status_code == 202
    receiver.wait(2)
    first, second = (lowered(headers)["webhook-id"] for headers in receiver.headers)
    assert first == second
    of_webhook = admin.http.get("/api/v1/deliveries", params={"webhook": webhook["id"]}).json()["items"]
    assert [each["id"] for each in of_webhook] == [delivery]
    assert admin.http.get("/api/v1/deliveries", params={"state": "failed"}).json()["items"] == []


def test_a_disabled_webhook_holds_what_it_is_sent(admin, receiver):
    webhook = admin.http.post("/api/v1/webhooks", json={"url": receiver.url}).json()["webhook"]["id"]
    assert admin.http.patch(f"/api/v1/webhooks/{webhook}", json={"enabled": False}).json()["enabled"] is False
    assert admin.http.post(f"/api/v1/webhooks/{webhook}/ping", json={}).status_code == 409
    assert admin.http.patch(f"/api/v1/webhooks/{webhook}", json={"enabled": True}).json()["disabled_reason"] is None
    assert admin.http.delete(f"/api/v1/webhooks/{webhook}").status_code == 204
    assert admin.http.get(f"/api/v1/webhooks/{webhook}").status_code == 404
    actions = [each["action"] for each in admin.http.get("/api/v1/audit").json()["items"]]
    assert actions[:4] == ["webhook.delete", "webhook.change", "webhook.change", "webhook.create"]


@pytest.mark.parametrize("url", ["ftp://x.org/", "not a url", "http://user:secret@x.org/", "http://10.0.0.1/"])
def test_a_url_that_cannot_be_used(admin, url):
    answer = admin.http.post("/api/v1/webhooks", json={"url": url})
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_another_accounts_webhook_is_not_there(admin, join, receiver):
    webhook = admin.http.post("/api/v1/webhooks", json={"url": receiver.url}).json()["webhook"]["id"]
    delivery = admin.http.post(f"/api/v1/webhooks/{webhook}/ping", json={}).json()["id"]
    other = join(admin.server, scopes=("admin",))
    for method, path in (
        ("GET", f"/webhooks/{webhook}"),
        ("PATCH", f"/webhooks/{webhook}"),
        ("DELETE", f"/webhooks/{webhook}"),
        ("POST", f"/webhooks/{webhook}/rotate"),
        ("POST", f"/webhooks/{webhook}/ping"),
        ("GET", f"/deliveries/{delivery}"),
        ("POST", f"/deliveries/{delivery}/redeliver"),
    ):
        assert other.http.request(method, f"/api/v1{path}", json={} if method != "GET" else None).status_code == 404


def test_a_schedule_tells_a_webhook(admin, receiver):
    made = admin.http.post("/api/v1/webhooks", json={"url": receiver.url}).json()
    schedule = {
        "name": "plays",
        "cron": "0 6 * * *",
        "export": {"rows": {"stream": "playlogs"}, "format": "csv"},
        "deliver": {"endpoints": [made["webhook"]["id"]]},
    }
    answer = admin.http.post("/api/v1/schedules", json=schedule)
    assert answer.status_code == 201, answer.text
    assert admin.http.post(f"/api/v1/schedules/{answer.json()['id']}/runs", json={}).status_code == 202
    body = receiver.wait(1)[0]
    told = Webhook(made["secret"]).verify(body, lowered(receiver.headers[0]))
    assert told["type"] == "schedule.delivered"
