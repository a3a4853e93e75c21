"""Puts the parts of webhooks and e-mails together, for a process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airtally.accounts.secrets import Secrets
from airtally.database.store import MetadataStore
from airtally.files.store import FileStore
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.mail import Mailer
from airtally.kit.outgoing import Network, Outgoing
from airtally.webhooks.deliveries import MessageDeliveries
from airtally.webhooks.endpoints import Endpoints
from airtally.webhooks.expiry import MessageExpiry
from airtally.webhooks.health import EndpointHealth
from airtally.webhooks.mail_limit import MAILS_PER_HOUR, MailLimit
from airtally.webhooks.messages import Messages
from airtally.webhooks.queue import MessageQueue
from airtally.webhooks.retry import STANDARD_WAITS
from airtally.webhooks.sender import WEBHOOK_SECONDS, MailLoop, WebhookLoop

#: How long an endpoint may fail every try before it is disabled, and how long messages are kept.
FAILING_DAYS = 5
MESSAGE_DAYS = 30


@dataclass(frozen=True, slots=True)
class WebhookParts:
    """`endpoints`, `deliveries` and `messages` are what handlers and senders of messages use, the others the loops."""

    endpoints: Endpoints
    deliveries: MessageDeliveries
    messages: Messages
    queue: MessageQueue
    expiry: MessageExpiry
    mailer: Mailer | None

    def loops(
        self,
        clock: Clock,
        files: FileStore,
        *,
        allowed: Sequence[Network],
        mails_per_hour: int = MAILS_PER_HOUR,
        faults: Faults = NO_FAULTS,
    ) -> tuple[WebhookLoop, MailLoop]:
        """The background work. `files` has what goes with e-mails, `allowed` are private networks that may be reached.

        `mails_per_hour`: of one account.
        """
        webhooks = WebhookLoop(self.queue, Outgoing(allowed, seconds=WEBHOOK_SECONDS), clock, faults=faults)
        limit = MailLimit(clock, per_hour=mails_per_hour)
        return webhooks, MailLoop(self.queue, self.mailer, files=files, limit=limit, faults=faults)


def webhook_parts(
    store: MetadataStore,
    clock: Clock,
    secrets: Secrets,
    owner: str,
    *,
    allowed: Sequence[Network],
    mailer: Mailer | None,
) -> WebhookParts:
    """`clock` is the one that all hosts share; `owner` is the id of this process."""
    messages = Messages(store, clock, mails=mailer is not None)
    health = EndpointHealth(messages, days=FAILING_DAYS)
    return WebhookParts(
        endpoints=Endpoints(store, clock, secrets, allowed),
        deliveries=MessageDeliveries(store, clock, messages),
        messages=messages,
        queue=MessageQueue(store, clock, secrets, health, owner=owner, waits=STANDARD_WAITS),
        expiry=MessageExpiry(store, clock, days=MESSAGE_DAYS),
        mailer=mailer,
    )
