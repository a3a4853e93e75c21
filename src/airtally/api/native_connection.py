"""What clients of the native API need, and their call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airtally.accounts.keys import KeyOptions
from airtally.accounts.kinds import Credentials
from airtally.connect.account_view import AccountView
from airtally.connect.checklist import ChecklistItem
from airtally.connect.connection import ApiConnection, ProgramValues
from airtally.connect.exchange import ClientCalls, ClientRequest
from airtally.connect.items import keys_item, rows_item
from airtally.streams import PLAYLOGS, STREAMS
from airtally.streams.declaration import Kind

_PLAY = {"id": "p-1", "player_id": 2, "media_id": 48, "played_at": "2026-10-01T23:59:59"}
_EVENTS = [each for each in STREAMS.values() if each.kind is Kind.EVENT]


class NativeConnection(ApiConnection):
    name = "native"
    title = "Native API"
    base_path = "/api/v1"
    replaces = ""
    key_kinds = ("native",)
    guide = "docs/guides/ingest.md"
    key_options = KeyOptions(scopes=frozenset({"read"}))

    def items(self, view: AccountView) -> list[ChecklistItem]:
        return [
            keys_item(view, "native", "Sent as Authorization: Bearer.", options=" --scope read --scope write"),
            rows_item(
                *(view, list(STREAMS.values()), "Rows", "Of any stream; plays stand for all here."),
                _PLAY,
                names=[name for name, stream in STREAMS.items() if view.stored(stream)],
            ),
        ]

    def values(self, view: AccountView) -> ProgramValues:
        """The stream of events with the most rows, in the seven days that end with its newest row."""
        stream = max(_EVENTS, key=view.stored)
        busy = view.busy_day(stream if view.stored(stream) else PLAYLOGS)
        last = busy.day if busy else view.today()
        values = {"stream": (stream if busy else PLAYLOGS).name, "range": f"{last - timedelta(days=6)} to {last}"}
        return values | {"question_json": json.dumps(_question(values))}

    def secrets(self) -> Mapping[str, str]:
        return {"token": "token"}

    def calls(self, values: Mapping[str, Any], credentials: Credentials) -> ClientCalls:
        bearer = {"Authorization": f"Bearer {credentials['token']}"}
        yield ClientRequest.json("POST", "/api/v1/query", _question(values), bearer)


def _question(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"stream": values["stream"], "metrics": ["count"], "range": values["range"], "grain": "day"}


CONNECTION = NativeConnection()
