"""`/api/v1/webhooks`: where an account's webhooks go. docs/reference/webhooks-api.md."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from airtally.accounts.permissions import Permission
from airtally.api.operation import NoFields, OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.resources.deliveries import DeliveryAnswer, delivery_answer
from airtally.api.times import shown_moment
from airtally.kit.errors import Conflict, NotFound, TooManyRequests
from airtally.services import Services
from airtally.webhooks.endpoints import EndpointChange, EndpointSecret, WebhookEndpoint

_EXAMPLE = {"url": "https://example.com/airtally", "description": "Files of the day", "events": ["schedule.delivered"]}


class NewWebhook(msgspec.Struct, forbid_unknown_fields=True):
    """`events`: the types that it wants; null or left out: all, those of later versions too."""

    url: str
    description: str = ""
    events: list[str] | None = None


class WebhookChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is left out stays. `events`: null for all types. Enabling sends what was held."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    events: list[str] | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class WebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`failures`: tries that failed since the last that succeeded, the first of them at `failing_since`.

    `disabled_reason` and `disabled_at` are null while it is enabled. Until `former_secret_until` the secret before the
    last rotation signs too. Times are RFC 3339, UTC.
    """

    id: int
    url: str
    description: str
    events: list[str] | None
    enabled: bool
    disabled_reason: str | None
    disabled_at: str | None
    failures: int
    failing_since: str | None
    former_secret_until: str | None
    created_at: str
    updated_at: str


class WebhookWithSecret(WebhookAnswer, frozen=True, kw_only=True):
    """With its signing secret, `whsec_…`, which is shown only now."""

    secret: str


class WebhookResource:
    def __init__(self, services: Services) -> None:
        self._endpoints = services.webhooks.endpoints
        self._deliveries = services.webhooks.deliveries

    @operation(
        *("POST", "/webhooks", Permission.ADMIN, "Create a webhook"), status=201, failures=(Conflict,), example=_EXAMPLE
    )
    def create_webhook(self, call: OperationCall[NoFields, NewWebhook]) -> WebhookWithSecret:
        """The answer alone has its secret. An account has 50 at most."""
        asked = call.body
        made = self._endpoints.create(call.account, asked.url, description=asked.description, event_types=asked.events)
        return _with_secret(made)

    @operation("GET", "/webhooks", Permission.READ, "List webhooks")
    def list_webhooks(self, call: OperationCall[PageQuery, None]) -> ListingPage[WebhookAnswer]:
        """The newest first."""
        asked = call.query
        found = self._endpoints.listed(call.account, after=asked.position, limit=asked.limit + 1)
        return page_of(found, asked.limit, webhook_answer, lambda each: each.id)

    @operation("GET", "/webhooks/{webhook_id}", Permission.READ, "Get a webhook", failures=(NotFound,))
    def get_webhook(self, call: PlainCall) -> WebhookAnswer:
        """Whether it takes what is sent."""
        return webhook_answer(self._endpoints.get(call.account, call.number("webhook_id")))

    @operation(
        *("PATCH", "/webhooks/{webhook_id}", Permission.ADMIN, "Change a webhook"),
        failures=(NotFound,),
        example={"enabled": True},
    )
    def change_webhook(self, call: OperationCall[NoFields, WebhookChange]) -> WebhookAnswer:
        """Deliveries that wait follow it."""
        asked = call.body
        change = EndpointChange(
            url=None if asked.url is UNSET else asked.url,
            description=None if asked.description is UNSET else asked.description,
            event_types=None if asked.events is UNSET else asked.events,
            every_type=asked.events is None,
            enabled=None if asked.enabled is UNSET else asked.enabled,
        )
        return webhook_answer(self._endpoints.change(call.account, call.number("webhook_id"), change))

    @operation(
        *("DELETE", "/webhooks/{webhook_id}", Permission.ADMIN, "Delete a webhook"), status=204, failures=(NotFound,)
    )
    def delete_webhook(self, call: PlainCall) -> None:
        """With its deliveries: what waits is not sent."""
        self._endpoints.delete(call.account, call.number("webhook_id"))

    @operation(
        *("POST", "/webhooks/{webhook_id}/rotate-secret", Permission.ADMIN, "Rotate the secret of a webhook"),
        failures=(NotFound,),
    )
    def rotate_webhook_secret(self, call: PlainCall) -> WebhookWithSecret:
        """A new secret, shown only now. For 24 hours the former one signs too."""
        return _with_secret(self._endpoints.rotate(call.account, call.number("webhook_id")))

    @operation(
        *("POST", "/webhooks/{webhook_id}/ping", Permission.ADMIN, "Send a test message"),
        status=202,
        failures=(NotFound, Conflict, TooManyRequests),
    )
    def ping_webhook(self, call: PlainCall) -> DeliveryAnswer:
        """A message of the type `ping`, whatever types it wants. What became of it is in the delivery."""
        return delivery_answer(self._deliveries.ping(call.account, call.number("webhook_id")))


def webhook_answer(endpoint: WebhookEndpoint) -> WebhookAnswer:
    return WebhookAnswer(
        id=endpoint.id,
        url=endpoint.url,
        description=endpoint.description,
        events=None if endpoint.event_types is None else list(endpoint.event_types),
        enabled=endpoint.enabled,
        disabled_reason=endpoint.disabled_reason,
        disabled_at=shown_moment(endpoint.disabled_at),
        failures=endpoint.failures,
        failing_since=shown_moment(endpoint.failing_since),
        former_secret_until=shown_moment(endpoint.former_secret_until),
        created_at=shown_moment(endpoint.created_at),
        updated_at=shown_moment(endpoint.updated_at),
    )


def _with_secret(made: EndpointSecret) -> WebhookWithSecret:
    return WebhookWithSecret(**msgspec.structs.asdict(webhook_answer(made.endpoint)), secret=made.secret)
