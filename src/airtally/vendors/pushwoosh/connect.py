"""What clients of the statistics need, and their calls. docs/vendors/pushwoosh.md#1, #2, #3, #7."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from airtally.accounts.kinds import Credentials
from airtally.connect.account_view import AccountView
from airtally.connect.checklist import ChecklistItem, DeclaredField
from airtally.connect.connection import ApiConnection, Placeholder, ProgramValues
from airtally.connect.exchange import ClientCalls, ClientRequest
from airtally.connect.items import keys_item, records_item, rows_item
from airtally.streams import APP_EVENTS, APPLICATIONS, DEVICE_TAGS, DEVICES

_APPLICATION = (
    DeclaredField("application", "Code that the client sends", "A1B2C-D3E4F"),
    DeclaredField("name", "Name", "Acme Shop"),
)
_EVENT = {
    "id": "e-1",
    "application": "A1B2C-D3E4F",
    "event": "CartOpen",
    "time": "2026-11-02T09:00:00Z",
    "hwid": "hw-1",
    "attributes": {"source": "push", "items": 1},
}
_DEVICE = (
    DeclaredField("hwid", "Device", "hw-1"),
    DeclaredField("application", "Code of the application", "A1B2C-D3E4F"),
)


class PushwooshConnection(ApiConnection):
    name = "pushwoosh"
    title = "Pushwoosh"
    base_path = "/json/1.3"
    replaces = "https://cp.pushwoosh.com/json/1.3"
    key_kinds = ("pushwoosh", "pushwoosh-device")
    guide = "docs/guides/moving/pushwoosh.md"

    def items(self, view: AccountView) -> list[ChecklistItem]:
        busy = view.busy_day(APP_EVENTS, "event")
        return [
            records_item(
                *(view, APPLICATIONS, "Applications", "With the codes that the client sends."),
                _APPLICATION,
                needed=True,
            ),
            rows_item(
                *(view, [APP_EVENTS], "Events", "The first row of an event declares it, with its attributes."),
                _EVENT,
                names=[each for (each,) in busy.subjects] if busy else [],
            ),
            *_optional_items(view),
            keys_item(view, "pushwoosh", "The API access token, which stands as auth in each call."),
            keys_item(
                *(view, "pushwoosh-device", "The token of SDKs, where the server wants one."),
                title="Device token",
                needed=False,
            ),
        ]

    def values(self, view: AccountView) -> ProgramValues:
        """The most frequent event of the newest day with events, of a declared application."""
        declared = [row["application"] for row in view.records(APPLICATIONS)]
        busy = view.busy_day(APP_EVENTS, "application", "event")
        found = [each for each in busy.subjects if each[0] in declared] if busy else []
        code: Any = found[0][0] if found else next(iter(declared), Placeholder("application"))
        event: Any = found[0][1] if found else Placeholder("event")
        return {
            "application": code,
            "application_json": json.dumps(code),
            "event": event,
            "event_json": json.dumps(event),
            "day": str(busy.day if busy else view.today()),
        }

    def secrets(self) -> Mapping[str, str]:
        return {"auth": "auth"}

    def calls(self, values: Mapping[str, Any], credentials: Credentials) -> ClientCalls:
        day = {"date_from": values["day"], "date_to": values["day"]}
        asked = {"auth": credentials["auth"], "application": values["application"], "event": values["event"]} | day
        answer = yield ClientRequest.json("POST", "/json/1.3/getEventStatistics", {"request": asked})
        found = answer.fields().get("response")
        if isinstance(found, dict):
            wanted = {"auth": credentials["auth"], "request_id": found.get("request_id")}
            reading = ClientRequest.json("POST", "/json/1.3/getResults", {"request": wanted})
            while (yield reading).fields().get("status_code") == 420:
                pass


def _optional_items(view: AccountView) -> list[ChecklistItem]:
    """Devices and tags: apps bring them in by themselves once they call here."""
    why = "Only for statistics of tags. Apps that call here register themselves."
    device = rows_item(view, [DEVICES], "Devices", why, {each.name: each.example for each in _DEVICE})
    tag = {"hwid": "hw-1", "application": "A1B2C-D3E4F", "tag": "Topics", "value": ["sport", "news"]}
    tags = rows_item(view, [DEVICE_TAGS], "Tags of devices", why, tag)
    return [msgspec.structs.replace(each, needed=False) for each in (device, tags)]


CONNECTION = PushwooshConnection()
