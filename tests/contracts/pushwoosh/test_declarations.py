"""createEvent and addTag, and what rows declared before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.opened import Opened
from fixtures.push_devices import NOW, App


def test_an_event_is_created_once(app: App) -> None:
    other = app.application()
    fields = {"auth": app.token, "name": "CartOpen", "description": "d", "trackRevenue": True}
    attributes = [{"type": kind, "name": f"a{kind}"} for kind in range(1, 7)]
    response = app.done("createEvent", **fields, eventAttributes=attributes)
    assert list(response) == ["event"]
    assert isinstance(response["event"], int)
    assert app.fault("createEvent", auth=app.token, name="CartOpen") == "Event already exists"
    assert app.done("createEvent", **fields, application=other)["event"] > response["event"]
    assert app.done("createEvent", auth=app.token, name="cartOpen")["event"] > response["event"]
    kept = app.server.services.access.declared.event(app.account, app.code, "CartOpen")
    assert {name: int(kind) for name, kind in kept.attributes.items()} == {f"a{kind}": kind for kind in range(1, 7)}
    assert (kept.description, kept.track_revenue) == ("d", True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": None}, "name is required"),
        ({"name": ""}, "name is required"),
        ({"name": 7}, "name is required"),
        ({"name": "x" * 33}, "Invalid name"),
        ({"name": "a\0b"}, "Invalid name"),
        ({"description": "x" * 65}, "Invalid description"),
        ({"description": 7}, "Invalid description"),
        ({"eventAttributes": {}}, "Invalid eventAttributes"),
        ({"eventAttributes": ["a"]}, "Invalid eventAttributes"),
        ({"eventAttributes": [{"name": "a", "type": 0}]}, "Invalid type"),
        ({"eventAttributes": [{"name": "a", "type": 7}]}, "Invalid type"),
        ({"eventAttributes": [{"name": "a", "type": True}]}, "Invalid type"),
        ({"eventAttributes": [{"name": "a"}]}, "Invalid type"),
        ({"eventAttributes": [{"type": 1}]}, "attribute name is required"),
        ({"eventAttributes": [{"name": "a" * 65, "type": 1}]}, "Invalid attribute name"),
        ({"eventAttributes": [{"name": "a", "type": 1}, {"name": "a", "type": 1}]}, "Invalid eventAttributes"),
        ({"trackRevenue": "yes"}, "Invalid trackRevenue"),
    ],
)
def test_an_event_that_cannot_be(app: App, fields: dict[str, Any], message: str) -> None:
    assert app.fault("createEvent", **{"auth": app.token, "name": "E"} | fields) == message
    assert app.fault("postEvent", event="E", hwid="d") == "Event not found"


def test_the_longest_names(app: App) -> None:
    fields = {"auth": app.token, "name": "é" * 32, "description": "d" * 64}
    app.done("createEvent", **fields, eventAttributes=[{"name": "a" * 64, "type": "3"}], trackRevenue=None)
    app.done("postEvent", event="é" * 32, hwid="d", attributes={"a" * 64: ["x"]})
    assert app.events()[0]["attributes"] == {"a" * 64: ["x"]}


@pytest.mark.parametrize("method", ["createEvent", "addTag"])
def test_declaring_takes_a_server_token(app: App, method: str) -> None:
    fields = {"name": "E", "tag": {"name": "T", "type": 1}}
    for auth in (None, "", "nope", app.key("pushwoosh-device"), f" {app.token}"):
        assert app.fault(method, auth=auth, **fields) == "Account not found"
    app.done(method, auth=app.token, **fields)


def test_events_of_an_application_that_the_token_may_not_use(app: App, opened: Opened) -> None:
    other = app.application()
    narrow = app.key("pushwoosh", other)
    envelope = app.call("createEvent", auth=narrow, name="E")
    assert (envelope["status_code"], envelope["status_message"]) == (403, "Token restrictions forbid this operation")
    app.done("createEvent", auth=narrow, name="E", application=other)
    rival = opened(App(app.server))
    assert app.fault("createEvent", auth=rival.token, name="E") == "Application not found"


def test_a_tag_is_added_once(app: App) -> None:
    tag = {"name": "T", "type": "7", "application_specific": 1, "user_specific": None}
    assert app.done("addTag", auth=app.token, tag=tag) == {"result": True}
    assert app.fault("addTag", auth=app.token, tag={"name": "T", "type": 7}) == "Tag already exists"
    kept = app.server.services.access.declared.tag(app.account, "T")
    assert (int(kept.type), kept.application_specific, kept.user_specific) == (7, True, False)


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        (None, "tag must be an object"),
        ("T", "tag must be an object"),
        ({"type": 1}, "tag name is required"),
        ({"name": "x" * 257, "type": 1}, "Invalid tag name"),
        ({"name": "T"}, "Invalid type"),
        ({"name": "T", "type": 8}, "Invalid type"),
        ({"name": "T", "type": 1.0}, "Invalid type"),
        ({"name": "T", "type": 1, "application_specific": "no"}, "Invalid application_specific"),
        ({"name": "T", "type": 1, "user_specific": 2}, "Invalid user_specific"),
    ],
)
def test_a_tag_that_cannot_be(app: App, tag: Any, message: str) -> None:
    assert app.fault("addTag", auth=app.token, tag=tag) == message


def test_a_call_upgrades_what_rows_declared(app: App) -> None:
    row = {"application": app.code, "event": "Seen", "time": "2026-03-10T00:00:00Z", "attributes": {"n": 1.5}}
    tag = {"application": app.code, "hwid": "d", "tag": "Level", "value": 3}
    assert app.native.send("app_events", [row]).json()["accepted"] == 1
    assert app.native.send("device_tags", [tag]).json()["accepted"] == 1
    app.done("postEvent", event="Seen", hwid="d", attributes={"n": 2})
    attributes = [{"name": "n", "type": 1}, {"name": "s", "type": 2}]
    app.done("createEvent", auth=app.token, name="Seen", eventAttributes=attributes)
    app.done("postEvent", event="Seen", hwid="d", attributes={"n": 3, "s": "x"}, timestampUTC=NOW + 1)
    assert [event["attributes"] for event in app.events()] == [{"n": 1.5}, {"n": 2.0}, {"n": 3, "s": "x"}]
    assert app.fault("createEvent", auth=app.token, name="Seen") == "Event already exists"

    app.done("addTag", auth=app.token, tag={"name": "Level", "type": 1})
    app.done("setTags", hwid="d", tags={"Level": 4})
    assert app.tags("d") == {"Level": 4}
    assert app.fault("addTag", auth=app.token, tag={"name": "Level", "type": 1}) == "Tag already exists"


def test_rows_that_do_not_fit_are_refused_and_kept_aside(app: App) -> None:
    def event(**attributes: Any) -> dict[str, Any]:
        return {"application": app.code, "event": "Buy", "time": "2026-03-10T00:00:00Z", "attributes": attributes}

    answer = app.native.send("app_events", [event(items=1), event(items="x"), event(items=2)]).json()
    error = {"line": 2, "field": "attributes.items", "error": "expected integer, got string"}
    assert answer == {"accepted": 2, "rejected": 1, "errors": [error]}
    (entry,) = app.server.services.intake.quarantine.entries(app.account)
    (row,) = app.server.services.intake.quarantine.rows(app.account, entry.id)
    assert (row.field, json.loads(row.received)["attributes"]) == ("attributes.items", {"items": "x"})
    app.done("postEvent", event="Buy", hwid="d", attributes={"items": 3})
    assert sorted(each["attributes"]["items"] for each in app.events()) == [1, 2, 3]

    tag = {"application": app.code, "hwid": "d", "tag": "Level"}
    answer = app.native.send("device_tags", [tag | {"value": 1}, tag | {"value": ["x"]}]).json()
    assert answer["errors"] == [{"line": 2, "field": "value", "error": "expected integer, got array"}]
    assert app.tags("d") == {"Level": 1}
