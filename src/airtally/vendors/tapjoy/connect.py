"""What clients of the insights API need, and their calls. docs/vendors/tapjoy.md#1, #2, #3."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from airtally.accounts.kinds import Credentials
from airtally.connect.account_view import AccountView
from airtally.connect.checklist import ChecklistItem, DeclaredField
from airtally.connect.connection import ApiConnection, Placeholder, ProgramValues
from airtally.connect.exchange import ClientCalls, ClientRequest
from airtally.connect.items import keys_item, records_item, rows_item
from airtally.sql.case import folded
from airtally.streams import AD_EVENTS, AD_GROUPS

_ID = "5f0c2a9e-1111-4a6b-9c3d-000000000001"
_FIELDS = (
    DeclaredField("ad_group_id", "Id that the client asks for", _ID),
    DeclaredField("name", "Name", "Harbour Tycoon - launch"),
    DeclaredField("platform", "Platform, iOS or Android", "iOS"),
)
_EVENT = {"id": "e-1", "ad_group_id": _ID, "time": "2026-11-02T09:00:00Z", "kind": "paid_click", "country": "US"}


class TapjoyConnection(ApiConnection):
    name = "tapjoy"
    title = "Tapjoy"
    base_path = ""
    replaces = "https://api.tapjoy.com"
    key_kinds = ("tapjoy",)
    guide = "docs/guides/moving/tapjoy.md"

    def items(self, view: AccountView) -> list[ChecklistItem]:
        return [
            records_item(
                *(view, AD_GROUPS, "Ad groups", "With the ids that the client asks for; an unknown one is 404."),
                _FIELDS,
                needed=True,
            ),
            rows_item(
                view, [AD_EVENTS], "Events", "Renders, clicks, conversions and installs, with their spend.", _EVENT
            ),
            keys_item(view, "tapjoy", "The Reporting API Key that the client shows for a token."),
        ]

    def values(self, view: AccountView) -> ProgramValues:
        """The seven days that end with the newest event; its most frequent ad group that is declared, else any."""
        declared = {folded(row["ad_group_id"]): row["ad_group_id"] for row in view.records(AD_GROUPS)}
        busy = view.busy_day(AD_EVENTS, "ad_group_id")
        seen = [folded(each) for (each,) in busy.subjects] if busy else []
        named = next((declared[each] for each in seen if each in declared), next(iter(declared.values()), None))
        last = busy.day if busy else view.today()
        return {
            "ad_group_id": named or Placeholder("ad group"),
            "ad_group_path": quote(named or Placeholder("ad group"), safe=""),
            "start_time": f"{last - timedelta(days=6)}T00:00:00Z",
            "end_time": f"{last + timedelta(days=1)}T00:00:00Z",
        }

    def secrets(self) -> Mapping[str, str]:
        return {"reporting_api_key": "reporting_api_key"}

    def calls(self, values: Mapping[str, Any], credentials: Credentials) -> ClientCalls:
        basic = {"Authorization": f"Basic {credentials['reporting_api_key']}"}
        token = (yield ClientRequest("POST", "/v1/oauth2/token", basic)).field("access_token")
        if token:
            asked = {"start_time": values["start_time"], "end_time": values["end_time"], "time_increment": "daily"}
            path = f"/v1/ad_groups/{values['ad_group_path']}/insights?{urlencode(asked)}"
            yield ClientRequest("GET", path, {"Authorization": f"Bearer {token}"})


CONNECTION = TapjoyConnection()
