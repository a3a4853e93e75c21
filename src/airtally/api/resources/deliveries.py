"""`/api/v1/deliveries`: what was sent to webhooks and by e-mail, and what was answered. docs/reference/webhooks-api.md."""

from __future__ import annotations

from typing import Annotated

import msgspec

from airtally.accounts.permissions import Permission
from airtally.api.operation import OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.kit.errors import Conflict, NotFound
from airtally.services import Services
from airtally.webhooks.deliveries import DeliveryDetails, DeliveryFilter, MessageDelivery, MessageTry
from airtally.webhooks.states import Channel, MessageState


class DeliveriesQuery(PageQuery):
    """Only those to one webhook, in one state, over one channel, or of one type of event."""

    webhook: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None
    state: MessageState | None = None
    channel: Channel | None = None
    event: str | None = None


class DeliveryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message to one webhook or e-mail address. `message_id` is its `webhook-id`. Times are RFC 3339, UTC.

    `state`: `due` at `due_at`, `sending`, `delivered`, `failed` (given up), or `held` until the webhook is enabled.
    `attempts`: tries since it was made or redelivered; `sent_at`, `status_code` and `error` are of the last one.
    """

    id: int
    message_id: str
    event: str
    channel: Channel
    webhook_id: int | None
    address: str | None
    state: MessageState
    attempts: int
    due_at: str | None
    sent_at: str | None
    status_code: int | None
    error: str | None
    created_at: str
    updated_at: str


class TryAnswer(msgspec.Struct, frozen=True):
    """One try, and the beginning of what was answered: 12 headers and 1,024 bytes. `error` is null for a success."""

    attempt: int
    sent_at: str
    milliseconds: float
    status_code: int | None
    error: str | None
    headers: dict[str, str]
    body: str


class DeliveryDetailsAnswer(DeliveryAnswer, frozen=True, kw_only=True):
    """`payload`: the body of the webhook's request, as it is signed; `subject` and `text` are those of the e-mail.

    `tries`: the last 50, oldest first.
    """

    payload: str
    subject: str | None
    text: str | None
    tries: list[TryAnswer]


class DeliveryResource:
    def __init__(self, services: Services) -> None:
        self._deliveries = services.webhooks.deliveries

    @operation("GET", "/deliveries", Permission.READ, "List deliveries")
    def list_deliveries(self, call: OperationCall[DeliveriesQuery, None]) -> ListingPage[DeliveryAnswer]:
        """The newest first. They are kept for 30 days."""
        asked = call.query
        only = DeliveryFilter(asked.webhook, asked.state, asked.channel, asked.event)
        found = self._deliveries.listed(call.account, only, after=asked.position, limit=asked.limit + 1)
        return page_of(found, asked.limit, delivery_answer, lambda each: each.id)

    @operation("GET", "/deliveries/{message_delivery_id}", Permission.READ, "Get a delivery", failures=(NotFound,))
    def get_delivery(self, call: PlainCall) -> DeliveryDetailsAnswer:
        """With what was sent, and each try with its answer."""
        return _details_answer(self._deliveries.get(call.account, call.number("message_delivery_id")))

    @operation(
        *("POST", "/deliveries/{message_delivery_id}/redeliver", Permission.ADMIN, "Send a message again"),
        status=202,
        failures=(NotFound, Conflict),
    )
    def redeliver_message(self, call: PlainCall) -> DeliveryAnswer:
        """At once, with the same `webhook-id`; after failures it is tried again as a new one is."""
        return delivery_answer(self._deliveries.redeliver(call.account, call.number("message_delivery_id")))


def delivery_answer(delivery: MessageDelivery) -> DeliveryAnswer:
    return DeliveryAnswer(
        id=delivery.id,
        message_id=delivery.uid,
        event=delivery.event_type,
        channel=delivery.channel,
        webhook_id=delivery.endpoint_id,
        address=delivery.address,
        state=delivery.state,
        attempts=delivery.attempts,
        due_at=shown_moment(delivery.due_at) if delivery.state is MessageState.DUE else None,
        sent_at=shown_moment(delivery.sent_at),
        status_code=delivery.status_code,
        error=delivery.error,
        created_at=shown_moment(delivery.created_at),
        updated_at=shown_moment(delivery.updated_at),
    )


def _details_answer(found: DeliveryDetails) -> DeliveryDetailsAnswer:
    return DeliveryDetailsAnswer(
        **msgspec.structs.asdict(delivery_answer(found.delivery)),
        payload=found.payload,
        subject=found.subject,
        text=found.text,
        tries=[_try_answer(each) for each in found.tries],
    )


def _try_answer(made: MessageTry) -> TryAnswer:
    return TryAnswer(
        attempt=made.attempt,
        sent_at=shown_moment(made.sent_at),
        milliseconds=made.duration_us / 1000,
        status_code=made.status_code,
        error=made.error,
        headers=dict(made.headers),
        body=made.body,
    )
