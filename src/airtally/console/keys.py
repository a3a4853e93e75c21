"""Keys of an account: made, imported with what a client has already, and revoked."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.accounts.permissions import KEY_SCOPES
from airtally.console.declared import console_form, console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.kit.errors import BadRequest
from airtally.vendors.apis import APIS

_COLUMNS = (
    TableColumn("Name", lambda each: each.name),
    TableColumn("For", lambda each: each.kind),
    TableColumn("Ends with", lambda each: each.ends_with, CellKind.CODE),
    TableColumn("State", lambda each: each.state, CellKind.STATE),
    TableColumn("May", lambda each: ", ".join(each.scopes)),
    TableColumn("Made", lambda each: each.created_at, CellKind.TIME),
    TableColumn("Last used", lambda each: each.last_used_at, CellKind.TIME),
    TableColumn("Expires", lambda each: each.expires_at, CellKind.TIME),
)


class KeyPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/keys")
    def keys(self, visit: Visit) -> View:
        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_keys", query={"cursor": cursor, "limit": limit})

        listed = table_of(visit, "keys", _COLUMNS, read, "There is no key yet. Make the first one below.")
        kinds = [(name, name) for name in ("native", *(api.name for api in APIS))]
        return view("keys.html", keys=listed, kinds=kinds, scopes=KEY_SCOPES, made=None)

    @console_form("/keys", again="keys")
    def make_key(self, visit: Visit) -> View:
        """Shows the secrets, this once: the page after it does not have them."""
        form = visit.form
        made = self._operations.call(
            visit,
            "create_key",
            body={
                "kind": form.get("kind", ""),
                "name": form.text("name"),
                "scopes": form.all("scope"),
                "imported": _imported(form.text("imported")),
            },
        )
        shown = self.keys(visit)
        return View(shown.template, {**shown.context, "made": made})

    @console_form("/keys/{key_id}/revoke", again="keys")
    def revoke_key(self, visit: Visit) -> Moved:
        key_id = visit.name("key_id")
        self._operations.call(visit, "revoke_key", path={"key_id": key_id})
        return Moved(visit.path("/keys"), f"Key {key_id} is revoked. Servers refuse it within a second.")


def _imported(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text.encode(), type=dict[str, Any])
    except msgspec.DecodeError:
        raise BadRequest(
            "The secrets cannot be read: expected a JSON object", hint="The page of the vendor's move names its fields"
        ) from None
