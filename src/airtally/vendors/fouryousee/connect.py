"""What clients of the reports API need, and their calls. docs/vendors/fouryousee.md#5, #6, #7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airtally.accounts.kinds import Credentials
from airtally.connect.account_view import AccountView
from airtally.connect.checklist import ChecklistItem, DeclaredField
from airtally.connect.connection import ApiConnection, ProgramValues
from airtally.connect.exchange import ClientCalls, ClientRequest
from airtally.connect.items import keys_item, records_item, rows_item
from airtally.streams import MEDIAS, PLAYERS, PLAYLOGS

#: Seconds between two looks at a report: the API takes one call a second for each path.
_BETWEEN = 1.1
_PLAYER = (
    DeclaredField("player_id", "Number of the player", "2", type="number"),
    DeclaredField("name", "Name", "Lobby"),
)
_MEDIA = (
    DeclaredField("media_id", "Number of the media", "48", type="number"),
    DeclaredField("name", "Name", "Coffee"),
)
_PLAY = {"id": "p-1", "player_id": 2, "media_id": 48, "played_at": "2026-10-01T23:59:59"}


class FouryouseeConnection(ApiConnection):
    name = "fouryousee"
    title = "4YouSee"
    base_path = "/v1/"
    replaces = "https://api.4yousee.com.br/v1/"
    key_kinds = ("fouryousee",)
    guide = "docs/guides/moving/fouryousee.md"

    def items(self, view: AccountView) -> list[ChecklistItem]:
        names_only = "Only for their names, where the client asks for them."
        return [
            rows_item(view, [PLAYLOGS], "Plays", "Each play of a media on a player; reports are made of them.", _PLAY),
            records_item(view, PLAYERS, "Players", names_only, _PLAYER, needed=False),
            records_item(view, MEDIAS, "Medias", names_only, _MEDIA, needed=False),
            keys_item(view, "fouryousee", "The Secret-Token that the client sends with each call."),
        ]

    def values(self, view: AccountView) -> ProgramValues:
        """The newest day with plays."""
        busy = view.busy_day(PLAYLOGS, "media_id")
        return {"day": str(busy.day if busy else view.today())}

    def secrets(self) -> Mapping[str, str]:
        return {"secret_token": "secret_token"}

    def calls(self, values: Mapping[str, Any], credentials: Credentials) -> ClientCalls:
        token = {"Secret-Token": str(credentials["secret_token"])}
        asked = {"type": "detailed", "filter": {"startDate": values["day"], "endDate": values["day"]}}
        report = (yield ClientRequest.json("POST", "/v1/reports", asked, token)).fields()
        while report.get("status") == "waiting":
            again = ClientRequest("GET", f"/v1/reports/{report['id']}", token, wait=_BETWEEN)
            report = (yield again).fields()


CONNECTION = FouryouseeConnection()
