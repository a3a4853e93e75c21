"""Webhooks: who is told of what, with secrets that are shown once."""

from __future__ import annotations

from typing import Any

from airtally.console.declared import console_form, console_page
from airtally.console.delivery.deliveries import delivery_columns
from airtally.console.forms import FormFields
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.webhooks.event_types import EVENT_TYPES, PING

_EMPTY = "Nobody is told of anything yet. Make the first webhook below."
_NO_DELIVERIES = "Nothing was sent to it yet. Send a test message to see whether it answers."
#: Types that a webhook may want; test messages come to each.
_WANTED = [each for each in EVENT_TYPES.values() if each.name != PING]


class WebhookPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/webhooks")
    def webhooks(self, visit: Visit) -> View:
        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_webhooks", query={"cursor": cursor, "limit": limit})

        columns = (
            TableColumn("Webhook", lambda each: each.url, link=lambda each: visit.path(f"/webhooks/{each.id}")),
            TableColumn("What for", lambda each: each.description or None),
            TableColumn("State", _state_of, CellKind.STATE),
            TableColumn("Told of", _types_of),
            TableColumn("Failed in a row", lambda each: each.failures, CellKind.NUMBER),
            TableColumn("Made", lambda each: each.created_at, CellKind.TIME),
        )
        listed = table_of(visit, "webhooks", columns, read, _EMPTY)
        return view("delivery/webhooks.html", webhooks=listed, types=_WANTED, made=None)

    @console_form("/webhooks", again="webhooks")
    def make_webhook(self, visit: Visit) -> View:
        """Shows the secret, this once."""
        body = {
            "url": visit.form.get("url", "").strip(),
            "description": visit.form.text("description"),
            "event_types": visit.form.all("event_type") or None,
        }
        made = self._operations.call(visit, "create_webhook", body=body)
        shown = self.webhooks(visit)
        return View(shown.template, {**shown.context, "made": made})

    @console_page("/webhooks/{webhook_id}")
    def webhook(self, visit: Visit) -> View:
        webhook_id = visit.name("webhook_id")
        found = self._operations.call(visit, "get_webhook", path={"webhook_id": webhook_id})

        def read(cursor: str | None, limit: int) -> Any:
            query = {"cursor": cursor, "limit": limit, "webhook": found.id}
            return self._operations.call(visit, "list_deliveries", query=query)

        deliveries = table_of(visit, "deliveries", delivery_columns(visit), read, _NO_DELIVERIES)
        return view(
            "delivery/webhook.html",
            webhook=found,
            state=_state_of(found),
            types=_WANTED,
            deliveries=deliveries,
            made=None,
        )

    @console_form("/webhooks/{webhook_id}", again="webhook")
    def change_webhook_form(self, visit: Visit) -> Moved:
        return self._asked(visit, "change_webhook", "The webhook is changed.", _changes(visit.form))

    @console_form("/webhooks/{webhook_id}/enabled", again="webhook")
    def switch_webhook(self, visit: Visit) -> Moved:
        enabled = visit.form.get("enabled") == "true"
        words = "Messages are sent again, those that waited first." if enabled else "Messages are held from now on."
        return self._asked(visit, "change_webhook", words, {"enabled": enabled})

    @console_form("/webhooks/{webhook_id}/ping", again="webhook")
    def ping_webhook_form(self, visit: Visit) -> Moved:
        made = self._operations.call(visit, "ping_webhook", path={"webhook_id": visit.name("webhook_id")})
        return Moved(visit.path(f"/deliveries/{made.id}"), "A test message is on its way.")

    @console_form("/webhooks/{webhook_id}/rotate", again="webhook")
    def rotate_secret_form(self, visit: Visit) -> View:
        """Shows the secret, this once."""
        made = self._operations.call(visit, "rotate_webhook_secret", path={"webhook_id": visit.name("webhook_id")})
        shown = self.webhook(visit)
        return View(shown.template, {**shown.context, "made": made})

    @console_form("/webhooks/{webhook_id}/delete", again="webhook")
    def delete_webhook_form(self, visit: Visit) -> Moved:
        self._asked(visit, "delete_webhook", "")
        return Moved(visit.path("/webhooks"), "The webhook is deleted, with its deliveries.")

    def _asked(self, visit: Visit, operation: str, words: str, body: dict[str, Any] | None = None) -> Moved:
        webhook_id = visit.name("webhook_id")
        self._operations.call(visit, operation, path={"webhook_id": webhook_id}, body=body)
        return Moved(visit.path(f"/webhooks/{webhook_id}"), words)


def _changes(form: FormFields) -> dict[str, Any]:
    types = form.all("event_type")
    told = {"event_types": types} if types else {"every_type": True}
    return {"url": form.get("url", "").strip(), "description": form.get("description", ""), **told}


def _state_of(webhook: Any) -> str:
    return "enabled" if webhook.enabled else "disabled"


def _types_of(webhook: Any) -> str:
    return "everything" if webhook.event_types is None else ", ".join(webhook.event_types)
