"""Bodies without `request`, and the methods that SDKs call: docs/vendors/pushwoosh.md#1, #10."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.push_devices import App

#: As the browser SDK sends them with every call, beside the method's own.
BROWSER = {"hwid": "web-1", "userId": "ana", "device_type": 11, "timezone": 3600, "language": "en", "v": "3.55.0"}
OK = {"status_code": 200, "status_message": "OK"}


def bare(app: App, method: str, **fields: Any) -> dict[str, Any]:
    """The envelope of a call whose body is the request itself."""
    answer = app.post(method, json.dumps({"application": app.code} | fields).encode())
    assert answer.status_code == 200, answer.text
    envelope: dict[str, Any] = answer.json()
    return envelope


def test_row_40_bare_objects(app: App) -> None:
    app.declare_event("CartOpen", source=2)
    app.declare_tag("Topics", 3)
    assert bare(app, "postEvent", event="CartOpen", hwid="d", attributes={"source": "push"}) == OK | {
        "response": {"code": ""}
    }
    assert [row["attributes"] for row in app.events()] == [{"source": "push"}]
    assert bare(app, "setTags", hwid="d", tags={"Topics": ["sport"]}) == OK | {"response": None}
    assert app.tags("d") == {"Topics": ["sport"]}


def test_row_40_with_the_token_in_the_header(app: App) -> None:
    """As a published shop module calls."""
    token = app.key("pushwoosh-device")
    body = json.dumps({"application": app.code, "hwid": "d", "device_type": 1}).encode()
    assert app.post("registerDevice", body, Authorization=f"Token {token}").json() == OK | {"response": None}
    refused = app.post("registerDevice", body, Authorization="Token nobody's").json()
    assert (refused["status_code"], refused["status_message"]) == (210, "Account not found")


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"{", b"", b'{"request": 1}', b'{"request": null}'])
@pytest.mark.parametrize("method", ["postEvent", "getConfig", "getNothing"])
def test_what_is_no_object_is_no_request(app: App, method: str, body: bytes) -> None:
    answer = app.post(method, body)
    assert (answer.status_code, answer.json()["status_message"]) == (400, "Malformed request string")


@pytest.mark.parametrize("method", ["getEventStatistics", "getTagStats", "getResults"])
def test_statistics_keep_the_wrapper(app: App, method: str) -> None:
    assert app.post(method, json.dumps({"auth": app.token}).encode()).status_code == 400


@pytest.mark.parametrize("body", [{"request": {}}, {}, {"application": "x"}])
def test_an_unknown_method_is_told_at_http_200(app: App, body: dict[str, Any]) -> None:
    """One client repeats at once and for ever on any other status."""
    answer = app.post("createTargetedMessage", json.dumps(body).encode())
    assert (answer.status_code, answer.json()["status_code"]) == (200, 404)


@pytest.mark.parametrize(
    ("method", "fields", "response"),
    [
        ("getConfig", {"features": ["page_visit", "vapid_key"]}, {"features": {}}),
        ("setBadge", {"badge": 3}, None),
        ("messageDeliveryEvent", {"hash": "x", "metaData": {}}, None),
        ("pushStat", {"hash": "x", "metaData": {}}, None),
        ("applicationOpen", {}, None),
        ("setPurchase", {"price": 1.5, "quantity": 1, "currency": "EUR", "productIdentifier": "p"}, None),
        ("inboxStatus", {"inbox_code": "1", "status": 1, "time": 1}, None),
        ("recordPopupFormEvent", {"code": "x", "event": 1}, None),
        ("getInApps", {}, {"inApps": []}),
        ("getPopupForms", {}, {"popup_forms": []}),
        (
            "getInboxMessages",
            {"last_code": "", "count": 0, "last_request_time": 0},
            {"messages": [], "deleted": [], "next": "", "new_inbox": 0},
        ),
    ],
)
def test_row_41_what_sdks_call(app: App, method: str, fields: dict[str, Any], response: object) -> None:
    assert app.call(method, **BROWSER | fields) == OK | {"response": response}
    assert bare(app, method, **BROWSER | fields) == OK | {"response": response}
    assert app.fault(method, **BROWSER | fields | {"application": "ZZZZZ-00000"}) == "Application not found"
    assert app.events() == []


def test_row_41_check_device(app: App) -> None:
    """A device that is registered, then without its push token, then deleted."""
    assert app.done("checkDevice", **BROWSER) == {"exist": False, "push_token_exist": False}
    app.done("registerDevice", **BROWSER | {"push_token": "t"})
    assert app.done("checkDevice", **BROWSER) == {"exist": True, "push_token_exist": True}
    app.done("unregisterDevice", hwid="web-1")
    assert app.done("checkDevice", **BROWSER) == {"exist": True, "push_token_exist": False}
    app.done("deleteDevice", hwid="web-1")
    assert app.done("checkDevice", **BROWSER) == {"exist": False, "push_token_exist": False}
    assert app.fault("checkDevice") == "hwid is required"


@pytest.mark.parametrize(("sent", "kept"), [("bo", "bo"), (77, "77")])
def test_row_41_register_user(app: App, sent: object, kept: str) -> None:
    """The device keeps all else; SDKs send some ids as numbers. One nobody knew is registered."""
    app.done("registerDevice", hwid="old", device_type=3, push_token="t", userId="ana")
    for hwid, token in (("old", "t"), ("new", None)):
        assert app.done("registerUser", hwid=hwid, userId=sent, ts_offset=0) is None
        device = app.device(hwid)
        assert device is not None
        assert (device["user_id"], device["push_token"]) == (kept, token)
    assert app.fault("registerUser", hwid="old") == "userId is required"
