"""The device methods: docs/vendors/pushwoosh.md#8, #9."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airtally.query.changelog import VersionsQuery
from airtally.streams import STREAMS
from fixtures.opened import Opened
from fixtures.push_devices import NOW, App


@pytest.fixture
def shop(app: App) -> App:
    """With the event of the vendor's fixture."""
    app.declare_event("CartOpen", source=2, items=1, vip=5)
    return app


def test_row_33_post_event_as_plain_clients_send_it(shop: App) -> None:
    fields = {
        "application": shop.code,
        "hwid": "dev-1",
        "event": "CartOpen",
        "attributes": {"source": "push", "items": 1, "msgHash": "x"},
        "timestampUTC": 1773101100,
    }
    answer = shop.post("postEvent", json.dumps({"request": fields}).encode())
    assert answer.text == '{"status_code":200,"status_message":"OK","response":{"code":""}}'
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    stored = {"event": "CartOpen", "time": 1773101100, "hwid": "dev-1", "user_id": None, "count": 1}
    assert shop.events() == [stored | {"attributes": {"source": "push", "items": 1}}]
    pushed = [{"name": "source", "operator": "EQ", "values": ["push"]}]
    assert shop.hours("CartOpen", "2026-03-10", attributes=pushed) == {"2026-03-10 00:00": 1}


def test_row_34_post_event_that_counts_nothing(shop: App) -> None:
    assert shop.fault("postEvent", event="Unknown", hwid="d") == "Event not found"
    assert shop.fault("postEvent", event="CartOpen") == "hwid or userId is required"
    assert shop.fault("postEvent", event="cartopen", hwid="d") == "Event not found"
    assert shop.fault("postEvent", hwid="d") == "Event not found"
    assert shop.events() == []


def test_row_35_the_timestamp_alone_says_when(shop: App) -> None:
    for moment in (1773100800, 1773100799):
        shop.done("postEvent", event="CartOpen", hwid="d", timestampUTC=moment, timestampCurrent=7)
    assert [row["time"] for row in shop.events()] == [1773100799, 1773100800]
    assert shop.hours("CartOpen", "2026-03-10") == {"2026-03-10 00:00": 1}
    assert shop.hours("CartOpen", "2026-03-09") == {"2026-03-09 23:00": 1}


def test_row_36_tags_of_a_device_nobody_knew(app: App) -> None:
    app.declare_tag("Topics", 3)
    response = app.done("setTags", hwid="new", tags={"Topics": ["sport", "news"], "Colour": "red"})
    assert response == {"skipped": [{"tag": "Colour", "reason": "Tag not found"}]}
    assert app.tags("new") == {"Topics": ["sport", "news"]}
    device = app.device("new")
    assert device is not None
    assert not device["is_deleted"]


def test_row_37_a_deleted_device_and_its_tags_are_gone(app: App) -> None:
    app.declare_tag("Topics", 3)
    for hwid, topics in (("d1", ["sport", "news"]), ("d2", ["sport"]), ("d4", ['a;b "c"'])):
        assert app.done("setTags", hwid=hwid, tags={"Topics": topics}) is None
    assert app.csv("Topics") == f'{app.code};sport;2\n{app.code};"a;b ""c""";1\n{app.code};news;1\n'
    assert app.done("deleteDevice", hwid="d2") is None
    assert app.csv("Topics") == f'{app.code};"a;b ""c""";1\n{app.code};news;1\n{app.code};sport;1\n'
    assert app.tags("d2") == {}
    device = app.device("d2")
    assert device is not None
    assert device["is_deleted"]
    held = app.server.services.queries.current(STREAMS["device_tags"], app.account.slug).table
    assert sorted(held.column("hwid").to_pylist()) == ["d1", "d4"]


@pytest.mark.parametrize("attributes", [None, {}, [], {"source": None}])
def test_an_event_needs_no_attributes(shop: App, attributes: Any) -> None:
    shop.done("postEvent", event="CartOpen", userId="u", attributes=attributes)
    (row,) = shop.events()
    assert (row["time"], row["user_id"], row["hwid"], row["attributes"]) == (NOW, "u", None, {})


def test_every_call_counts_once_more(shop: App) -> None:
    for _ in range(3):
        shop.done("postEvent", event="CartOpen", hwid="d", userId="u", timestampUTC=NOW)
    assert [row["count"] for row in shop.events()] == [3]


def test_attributes_that_do_not_fit_are_dropped(app: App) -> None:
    app.declare_event("All", i=1, s=2, l=3, d=4, b=5, p=6)
    sent = {"i": "12", "s": 7, "l": ["x", 1, "x"], "d": "2026-03-10T01:02:03", "b": "TRUE", "p": "1.005", "none": 1}
    app.done("postEvent", event="All", hwid="d", attributes=sent)
    wrong = {"i": 1.5, "s": ["x"], "l": "x", "d": "soon", "b": 2, "p": "dear"}
    app.done("postEvent", event="All", hwid="d", attributes=wrong, timestampUTC=NOW + 1)
    first, second = app.events()
    assert first["attributes"] == {"i": 12, "s": "7", "l": ["x", "1"], "d": "2026-03-10 01:02", "b": True, "p": 1.01}
    assert second["attributes"] == {}


@pytest.mark.parametrize("moment", [-1, "soon", "1773100800", True, [], 1e300, 4133980800, 1773100800000])
def test_a_timestamp_that_is_none(shop: App, moment: Any) -> None:
    assert shop.fault("postEvent", event="CartOpen", hwid="d", timestampUTC=moment) == "Invalid timestamp"
    assert shop.events() == []


def test_nulls_are_absent(shop: App) -> None:
    shop.done("postEvent", event="CartOpen", hwid="d", userId=None, attributes=None, timestampUTC=None)
    shop.done("registerDevice", hwid="d", device_type=3, push_token=None, language=None, tags=None, email=None)
    assert shop.fault("registerDevice", hwid=None, device_type=3) == "hwid is required"
    assert shop.fault("registerDevice", hwid="d", device_type=None) == "device_type is required"


def test_registering_again_changes_what_is_given(app: App) -> None:
    app.declare_tag("Language", 2)
    more = {"language": "fr", "timezone": "-10800", "userId": "u", "email": "a@b.c", "tags": {"Language": "fr", "X": 1}}
    assert app.done("registerDevice", hwid="d", device_type="3", push_token="t1", **more) is None
    assert app.done("registerDevice", hwid="d", device_type=1, push_token="t2") is None
    device = app.device("d")
    assert device is not None
    expected = {"device_type": 1, "push_token": "t2", "language": "fr", "timezone_seconds": -10800, "user_id": "u"}
    assert {name: device[name] for name in expected} == expected
    assert app.tags("d") == {"Language": "fr"}
    assert app.done("unregisterDevice", hwid="d") is None
    device = app.device("d")
    assert device is not None
    assert (device["push_token"], device["is_deleted"], device["language"]) == (None, 0, "fr")


def test_registering_the_same_again_adds_no_version(app: App) -> None:
    stream = STREAMS["devices"]
    for _ in range(3):
        app.done("registerDevice", hwid="d", device_type=3, push_token="t")
        app.done("setTags", hwid="d", tags={})
    assert app.server.services.queries.versions(VersionsQuery(stream, app.account.slug)).num_rows == 1


@pytest.mark.parametrize("kind", ["three", 3.5, True, [], 2**63, "9" * 20])
def test_a_device_type_that_is_no_integer(app: App, kind: Any) -> None:
    assert app.fault("registerDevice", hwid="d", device_type=kind) == "Invalid device_type"
    assert app.device("d") is None


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("hwid", "x" * 257, "Invalid hwid"),
        ("hwid", "a\0b", "Invalid hwid"),
        ("hwid", 7, "Invalid hwid"),
        ("push_token", "x" * 4097, "Invalid push_token"),
        ("language", ["fr"], "Invalid language"),
        ("timezone", "east", "Invalid timezone"),
        ("userId", "ü" * 129, "Invalid userId"),
        ("tags", "x", "tags must be an object"),
    ],
)
def test_a_field_that_cannot_be_kept(app: App, field: str, value: Any, message: str) -> None:
    assert app.fault("registerDevice", **{"hwid": "d", "device_type": 3} | {field: value}) == message
    assert app.device("d") is None


@pytest.mark.parametrize("method", ["unregisterDevice", "deleteDevice", "applicationOpen", "pushStat"])
def test_calls_about_an_unknown_device_succeed(app: App, method: str) -> None:
    assert app.done(method, hwid="nobody", hash="h") is None
    assert app.fault(method) == "hwid is required"
    assert app.device("nobody") is None
    assert app.events() == []


@pytest.mark.parametrize(
    "method",
    ["postEvent", "setTags", "getTags", "registerDevice", "unregisterDevice", "deleteDevice", "applicationOpen"],
)
@pytest.mark.parametrize("code", ["ZZZZZ-00000", "", None, 7, "a\0b"])
def test_an_application_that_is_nobodys(app: App, method: str, code: Any) -> None:
    assert app.fault(method, application=code, hwid="d", device_type=3, tags={}) == "Application not found"


def test_a_device_token_in_the_header(app: App) -> None:
    other = app.application()
    token, narrow = app.key("pushwoosh-device"), app.key("pushwoosh-device", other)

    def answer(authorization: str, **fields: Any) -> tuple[int, str]:
        envelope = app.call("applicationOpen", hwid="d", headers={"Authorization": authorization}, **fields)
        return envelope["status_code"], envelope["status_message"]

    assert answer(f"Token {token}") == (200, "OK")
    assert answer(f"token {token}") == (200, "OK")
    assert answer(f"Token {narrow}", application=other) == (200, "OK")
    assert answer(f"Token {narrow}") == (403, "Token restrictions forbid this operation")
    for unknown in ("Token nope", "Token", f"Bearer {token}", f"Token {app.token}", ""):
        assert answer(unknown) == (210, "Account not found")


def test_another_accounts_device_token(app: App, opened: Opened) -> None:
    rival = opened(App(app.server))
    envelope = app.call("getTags", hwid="d", headers={"Authorization": f"Token {rival.key('pushwoosh-device')}"})
    assert (envelope["status_code"], envelope["status_message"]) == (210, "Application not found")
