"""Webhooks and deliveries through the pages' forms: secrets shown once, messages with what was answered, sent again."""

from __future__ import annotations

import html
import re
import time

from standardwebhooks import Webhook

from fixtures.console import Browser, failure, note
from fixtures.native import Native
from fixtures.receiver import Receiver

HOME = "/accounts/acme"


def made(browser: Browser, receiver: Receiver, **fields: str | list[str]) -> tuple[str, str]:
    """The page of the webhook, and its secret."""
    answer = browser.submit(f"{HOME}/webhooks", url=receiver.url, **fields)
    assert answer.status_code == 200, answer.text
    [secret] = re.findall(r"<code>(whsec_[^<]+)</code>", answer.text)
    [page] = set(re.findall(rf'href="({HOME}/webhooks/\d+)">{re.escape(receiver.url)}<', answer.text))
    return page, secret


def ended(native: Native, page: str, state: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = native.http.get(f"/api/v1{page.removeprefix(HOME)}").json()
        if found["delivery"]["state"] == state and found["tries"]:
            return
        time.sleep(0.05)
    raise AssertionError(f"the delivery is not {state}: {found}")


def test_a_webhook_is_made_tried_and_its_deliveries_sent_again(
    native: Native, admin: Browser, viewer: Browser, receiver: Receiver
) -> None:
    receiver.answers[:] = [500, 200]
    page, secret = made(admin, receiver, description="On-call")
    assert secret not in admin.get(page).text + admin.get(f"{HOME}/webhooks").text
    delivery = admin.submit(f"{page}/ping").headers["location"]
    [body] = receiver.wait(1)
    ended(native, delivery, "due")
    headers = {name.lower(): value for name, value in receiver.headers[0].items()}
    assert Webhook(secret).verify(body, headers)["type"] == "ping"
    shown = admin.get(delivery).text
    assert ("HTTP 500" in shown, headers["webhook-id"] in shown, "It answered 500" in shown) == (True, True, True)
    assert html.escape(body.decode()).replace("&quot;", "&#34;") in shown
    assert f'href="{delivery}"' in viewer.get(f"{HOME}/deliveries", params={"state": "due"}).text
    assert f'href="{delivery}"' in viewer.get(page).text
    second = admin.submit(f"{page}/ping").headers["location"]
    receiver.wait(2)
    ended(native, second, "delivered")
    assert "redeliver" not in viewer.get(second).text
    assert viewer.submit(f"{second}/redeliver").status_code == 403
    assert admin.submit(f"{second}/redeliver").headers["location"] == second
    assert receiver.wait(3)[2] == receiver.bodies[1]
    admin.submit(f"{page}/delete")
    assert admin.get(page).status_code == 404


def test_a_secret_is_changed_and_a_webhook_disabled(native: Native, admin: Browser, receiver: Receiver) -> None:
    page, secret = made(admin, receiver, event_type=["alarm.fired"])
    rotated = admin.submit(f"{page}/rotate").text
    [second] = re.findall(r"<code>(whsec_[^<]+)</code>", rotated)
    assert (second != secret, "the former one too" in rotated, second in admin.get(page).text) == (True, True, False)
    assert note(admin.get(admin.submit(f"{page}/enabled", enabled="false").headers["location"])).endswith(
        "from now on."
    )
    assert "state-disabled" in admin.get(page).text
    admin.submit(f"{page}/enabled", enabled="true")
    admin.submit(page, url=receiver.url, description="Others", event_type=["alarm.fired", "export.done"])
    stored = native.http.get(f"/api/v1{page.removeprefix(HOME)}").json()
    assert (stored["enabled"], stored["description"]) == (True, "Others")
    assert sorted(stored["event_types"]) == ["alarm.fired", "export.done"]
    admin.submit(page, url=receiver.url)
    assert native.http.get(f"/api/v1{page.removeprefix(HOME)}").json()["event_types"] is None


def test_errors_rights_and_another_account(
    admin: Browser, viewer: Browser, stranger: Browser, receiver: Receiver
) -> None:
    wrong = admin.submit(f"{HOME}/webhooks", url="http://10.0.0.1/<i>", description="kept")
    assert (wrong.status_code, "not a public address" in failure(wrong)) == (422, True)
    assert 'value="kept"' in wrong.text
    page, _ = made(admin, receiver)
    for path in (
        "/webhooks",
        *(page.removeprefix(HOME) + end for end in ("", "/ping", "/rotate", "/delete", "/enabled")),
    ):
        assert viewer.submit(HOME + path, url=receiver.url).status_code == 403
    for path in (page, page.replace("/acme/", "/other/")):
        assert (stranger.get(path).status_code, stranger.submit(f"{path}/rotate").status_code) == (404, 404)
    assert "Make the first webhook below." in stranger.get("/accounts/other/webhooks").text
    assert "No message was sent" in stranger.get("/accounts/other/deliveries").text
