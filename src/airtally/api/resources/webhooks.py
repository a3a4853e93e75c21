"""`/api/v1/webhooks` and `/api/v1/deliveries`: where an account is told of what happens, and what was sent there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from airtally.accounts.permissions import Permission
from airtally.api.operation import NoFields, OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.kit.errors import Conflict, NotFound, TooManyRequests
from airtally.services import Services
from airtally.webhooks.deliveries import DeliveryFilter, MessageDelivery, MessageTry
from airtally.webhooks.endpoints import EndpointChange, WebhookEndpoint
from airtally.webhooks.signing import unsigned_headers
from airtally.webhooks.states import Channel, MessageState

_EXAMPLE = {"url": "https://example.org/airtally", "description": "On-call", "event_types": ["schedule.failed"]}
EventTypes = Annotated[list[str], msgspec.Meta(min_length=1, max_length=50)]


class WebhookAnswer(msgspec.Struct, frozen=True):
    """`event_types`: null for all. `failures`: tries that failed since the last that did not, from `failing_since`.

    Until `former_secret_until` the secret before the last rotation signs too.
    """

    id: int
    url: str
    description: str
    event_types: list[str] | None
    enabled: bool
    disabled_reason: str | None
    disabled_at: str | None
    failures: int
    failing_since: str | None
    former_secret_until: str | None
    created_at: str
    updated_at: str


class NewWebhook(msgspec.Struct, forbid_unknown_fields=True):
    """`event_types`: of these only; all, if left out."""

    url: str
    description: str = ""
    event_types: EventTypes | None = None


class WebhookChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is left out stays. `every_type`: messages of all types from now on."""

    url: str | None = None
    description: str | None = None
    event_types: EventTypes | None = None
    every_type: bool = False
    enabled: bool | None = None


class WebhookSecret(msgspec.Struct, frozen=True):
    """`secret` checks the signatures (Standard Webhooks). It is shown now and never again."""

    webhook: WebhookAnswer
    secret: str


class DeliveriesQuery(PageQuery):
    """Of this webhook, state, channel or event type only."""

    webhook: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None
    state: MessageState | None = None
    channel: Channel | None = None
    event_type: str | None = None


class DeliveryAnswer(msgspec.Struct, frozen=True):
    """`message`: its webhook-id. `attempts` since it was made or sent again; `sent_at` and after it of the last one."""

    id: int
    message: str
    event_type: str
    channel: Channel
    webhook: int | None
    address: str | None
    state: MessageState
    attempts: int
    due_at: str
    sent_at: str | None
    status_code: int | None
    error: str | None
    created_at: str


class DeliveryTry(msgspec.Struct, frozen=True):
    """One try, and the beginning of what was answered. `request_headers`: of a webhook, but for the signature."""

    attempt: int
    sent_at: str
    duration_ms: float
    status_code: int | None
    error: str | None
    request_headers: Mapping[str, str]
    headers: Mapping[str, str]
    body: str


class DeliveryDetail(msgspec.Struct, frozen=True):
    """`payload`: the body that is sent to webhooks. `subject` and `text`: of an e-mail. `tries`: oldest first."""

    delivery: DeliveryAnswer
    payload: str
    subject: str | None
    text: str | None
    tries: list[DeliveryTry]


class WebhookResource:
    def __init__(self, services: Services) -> None:
        self._endpoints = services.webhooks.endpoints
        self._deliveries = services.webhooks.deliveries

    @operation(
        *("POST", "/webhooks", Permission.ADMIN, "Create a webhook"),
        status=201,
        failures=(Conflict,),
        example=_EXAMPLE,
    )
    def create_webhook(self, call: OperationCall[NoFields, NewWebhook]) -> WebhookSecret:
        """Messages are posted to it, signed by the Standard Webhooks rules; any 2xx answer accepts one."""
        asked = call.body
        made = self._endpoints.create(
            call.account, asked.url, description=asked.description, event_types=asked.event_types
        )
        return WebhookSecret(_webhook_answer(made.endpoint), made.secret)

    @operation("GET", "/webhooks", Permission.READ, "List webhooks")
    def list_webhooks(self, call: OperationCall[PageQuery, None]) -> ListingPage[WebhookAnswer]:
        """The newest first."""
        found = self._endpoints.listed(call.account, after=call.query.position, limit=call.query.limit + 1)
        return page_of(found, call.query.limit, _webhook_answer, lambda each: each.id)

    @operation("GET", "/webhooks/{webhook_id}", Permission.READ, "Get a webhook", failures=(NotFound,))
    def get_webhook(self, call: PlainCall) -> WebhookAnswer:
        """Without its secret."""
        return _webhook_answer(self._endpoints.get(call.account, call.number("webhook_id")))

    @operation(
        *("PATCH", "/webhooks/{webhook_id}", Permission.ADMIN, "Change a webhook"),
        failures=(NotFound,),
        example={"enabled": True},
    )
    def change_webhook(self, call: OperationCall[NoFields, WebhookChange]) -> WebhookAnswer:
        """What waits for a disabled webhook is held, and sent once it is enabled."""
        change = EndpointChange(**msgspec.structs.asdict(call.body))
        return _webhook_answer(self._endpoints.change(call.account, call.number("webhook_id"), change))

    @operation(
        *("DELETE", "/webhooks/{webhook_id}", Permission.ADMIN, "Delete a webhook"),
        status=204,
        failures=(NotFound,),
    )
    def delete_webhook(self, call: PlainCall) -> None:
        """With its deliveries, also those that wait."""
        self._endpoints.delete(call.account, call.number("webhook_id"))

    @operation(
        *("POST", "/webhooks/{webhook_id}/rotate", Permission.ADMIN, "Give a webhook a new secret"),
        failures=(NotFound,),
    )
    def rotate_webhook_secret(self, call: PlainCall) -> WebhookSecret:
        """For a day, messages are signed with the former secret too."""
        made = self._endpoints.rotate(call.account, call.number("webhook_id"))
        return WebhookSecret(_webhook_answer(made.endpoint), made.secret)

    @operation(
        *("POST", "/webhooks/{webhook_id}/ping", Permission.ADMIN, "Send a test message"),
        status=202,
        failures=(NotFound, Conflict, TooManyRequests),
    )
    def ping_webhook(self, call: PlainCall) -> DeliveryAnswer:
        """Of the type `ping`, whatever types the webhook wants."""
        return _delivery_answer(self._deliveries.ping(call.account, call.number("webhook_id")))

    @operation("GET", "/deliveries", Permission.READ, "List deliveries of messages")
    def list_deliveries(self, call: OperationCall[DeliveriesQuery, None]) -> ListingPage[DeliveryAnswer]:
        """To webhooks and by e-mail, the newest first. They are kept for 30 days."""
        query = call.query
        only = DeliveryFilter(query.webhook, query.state, query.channel, query.event_type)
        found = self._deliveries.listed(call.account, only, after=query.position, limit=query.limit + 1)
        return page_of(found, query.limit, _delivery_answer, lambda each: each.id)

    @operation("GET", "/deliveries/{delivery_id}", Permission.READ, "Get a delivery", failures=(NotFound,))
    def get_delivery(self, call: PlainCall) -> DeliveryDetail:
        """With what was sent and what each try was answered."""
        found = self._deliveries.get(call.account, call.number("delivery_id"))
        tries = [_try_answer(found.delivery, each) for each in found.tries]
        return DeliveryDetail(_delivery_answer(found.delivery), found.payload, found.subject, found.text, tries)

    @operation(
        *("POST", "/deliveries/{delivery_id}/redeliver", Permission.ADMIN, "Deliver a message again"),
        status=202,
        failures=(NotFound, Conflict),
    )
    def redeliver_message(self, call: PlainCall) -> DeliveryAnswer:
        """At once, with the same webhook-id; if it fails, it is tried as often as the first time."""
        return _delivery_answer(self._deliveries.redeliver(call.account, call.number("delivery_id")))


def _webhook_answer(endpoint: WebhookEndpoint) -> WebhookAnswer:
    return WebhookAnswer(
        id=endpoint.id,
        url=endpoint.url,
        description=endpoint.description,
        event_types=None if endpoint.event_types is None else list(endpoint.event_types),
        enabled=endpoint.enabled,
        disabled_reason=endpoint.disabled_reason,
        disabled_at=shown_moment(endpoint.disabled_at),
        failures=endpoint.failures,
        failing_since=shown_moment(endpoint.failing_since),
        former_secret_until=shown_moment(endpoint.former_secret_until),
        created_at=shown_moment(endpoint.created_at),
        updated_at=shown_moment(endpoint.updated_at),
    )


def _delivery_answer(delivery: MessageDelivery) -> DeliveryAnswer:
    return DeliveryAnswer(
        id=delivery.id,
        message=delivery.uid,
        event_type=delivery.event_type,
        channel=delivery.channel,
        webhook=delivery.endpoint_id,
        address=delivery.address,
        state=delivery.state,
        attempts=delivery.attempts,
        due_at=shown_moment(delivery.due_at),
        sent_at=shown_moment(delivery.sent_at),
        status_code=delivery.status_code,
        error=delivery.error,
        created_at=shown_moment(delivery.created_at),
    )


def _try_answer(delivery: MessageDelivery, tried: MessageTry) -> DeliveryTry:
    is_post = delivery.channel is Channel.WEBHOOK
    return DeliveryTry(
        attempt=tried.attempt,
        sent_at=shown_moment(tried.sent_at),
        duration_ms=tried.duration_us / 1000,
        status_code=tried.status_code,
        error=tried.error,
        request_headers=unsigned_headers(delivery.uid, tried.sent_at) if is_post else {},
        headers=tried.headers,
        body=tried.body,
    )
