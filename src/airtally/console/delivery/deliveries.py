"""Deliveries of messages: what was sent to whom, what was answered, and once more."""

from __future__ import annotations

from typing import Any

from airtally.console.declared import console_form, console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.webhooks.states import MessageState

_EMPTY = "No message was sent in the last 30 days. Webhooks and schedules say who is told of what."


class DeliveryPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/deliveries")
    def deliveries(self, visit: Visit) -> View:
        state = visit.query.get("state") if visit.query.get("state") in set(MessageState) else None

        def read(cursor: str | None, limit: int) -> Any:
            query = {"cursor": cursor, "limit": limit, "state": state}
            return self._operations.call(visit, "list_deliveries", query=query)

        listed = table_of(visit, "deliveries", delivery_columns(visit), read, _EMPTY)
        return view("delivery/deliveries.html", deliveries=listed, states=list(MessageState), state=state)

    @console_page("/deliveries/{delivery_id}")
    def delivery(self, visit: Visit) -> View:
        found = self._operations.call(visit, "get_delivery", path={"delivery_id": visit.name("delivery_id")})
        sending = found.delivery.state == "sending" or (found.delivery.state == "due" and not found.tries)
        return view("delivery/delivery.html", fragment="state", found=found, delivery=found.delivery, moving=sending)

    @console_form("/deliveries/{delivery_id}/redeliver", again="delivery")
    def redeliver_message_form(self, visit: Visit) -> Moved:
        delivery_id = visit.name("delivery_id")
        self._operations.call(visit, "redeliver_message", path={"delivery_id": delivery_id})
        return Moved(visit.path(f"/deliveries/{delivery_id}"), "The message is sent again.")


def delivery_columns(visit: Visit) -> tuple[TableColumn, ...]:
    return (
        TableColumn("Delivery", lambda each: each.id, link=lambda each: visit.path(f"/deliveries/{each.id}")),
        TableColumn("Told of", lambda each: each.event_type),
        TableColumn("To", lambda each: each.address or f"webhook {each.webhook}"),
        TableColumn("State", lambda each: each.state, CellKind.STATE),
        TableColumn("Tries", lambda each: each.attempts, CellKind.NUMBER),
        TableColumn("Answer", lambda each: each.error or each.status_code),
        TableColumn("Made", lambda each: each.created_at, CellKind.TIME),
        TableColumn("Last try", lambda each: each.sent_at, CellKind.TIME),
    )
