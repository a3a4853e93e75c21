"""What clients of `viewer.log` need, and their call. docs/vendors/scaleengine.md#1, #2, #3."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from airtally.accounts.kinds import Credentials
from airtally.connect.account_view import MOST_NAMED, AccountView
from airtally.connect.checklist import ChecklistItem, DeclaredField, DeclaringCall
from airtally.connect.connection import ApiConnection, Placeholder, ProgramValues
from airtally.connect.exchange import ClientCalls, ClientRequest
from airtally.connect.items import keys_item, records_item, rows_item
from airtally.kit.time import SECOND_US
from airtally.streams import VIEWER_APPS, VIEWER_SAMPLES

_APP = (
    DeclaredField("app", "Name of the app", "acme-vod"),
    DeclaredField("app_id", "Number, by which clients may name it", "76", type="number"),
)
_SAMPLE = {
    "app": "acme-vod",
    "video_url": "sestore1/acme/shows/pilot.mp4",
    "server": "e1",
    "time": "2026-11-02T09:15:00Z",
    "viewers": 10,
}


class ScaleengineConnection(ApiConnection):
    name = "scaleengine"
    title = "ScaleEngine"
    base_path = "/stable/"
    replaces = "https://api.scaleengine.net/stable/"
    key_kinds = ("scaleengine",)
    guide = "docs/guides/moving/scaleengine.md"

    def items(self, view: AccountView) -> list[ChecklistItem]:
        cdns, slug = view.cdns(), view.account.slug
        return [
            ChecklistItem(
                id="cdn",
                title="CDN number",
                why="Stands in each call. A key brings it: the cdn of an import, else a new one.",
                needed=True,
                count=len(cdns),
                more=False,
                names=tuple(cdns[:MOST_NAMED]),
                command=f"airtally key create --account {slug} --for scaleengine",
                call=DeclaringCall("POST", "/api/v1/keys", {"kind": "scaleengine"}),
            ),
            records_item(
                *(view, VIEWER_APPS, "Apps", "Only where the client names apps by number."), _APP, needed=False
            ),
            rows_item(
                *(view, [VIEWER_SAMPLES], "Samples", "How many viewers each app, stream and server had in a minute."),
                _SAMPLE,
            ),
            keys_item(view, "scaleengine", "The API key, and the secret key that signs each call."),
        ]

    def values(self, view: AccountView) -> ProgramValues:
        """The app with the most samples of the newest day, else the first declared one; the first CDN number."""
        busy = view.busy_day(VIEWER_SAMPLES, "app")
        declared = next((row["app"] for row in view.records(VIEWER_APPS)), None)
        app = busy.subjects[0][0] if busy else declared
        cdns = sorted(map(int, view.cdns()))
        return {
            "cdn": cdns[0] if cdns else Placeholder("cdn number"),
            "app": app or Placeholder("app"),
            "app_json": json.dumps(app or Placeholder("app")),
            "graph": 4,
            "now": view.services.clock.now_us() // SECOND_US,
        }

    def secrets(self) -> Mapping[str, str]:
        return {"api_key": "api_key", "secret_key": "secret_key"}

    def calls(self, values: Mapping[str, Any], credentials: Credentials) -> ClientCalls:
        request = {"command": "viewer.log", "api_key": credentials["api_key"], "timestamp": values["now"]}
        request |= {"cdn": credentials.get("cdn", values["cdn"]), "app": values["app"], "graph": values["graph"]}
        secret = str(credentials["secret_key"]).encode()
        signed = hmac.digest(secret, json.dumps(request).encode(), hashlib.sha256)
        request["signature"] = base64.b64encode(signed).decode()
        yield ClientRequest.form("/stable/", {"json": json.dumps(request)})


CONNECTION = ScaleengineConnection()
