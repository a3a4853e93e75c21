"""Whether endpoints take what is sent: which are asked to wait, and which are disabled and their owners told."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from airtally.accounts.accounts import account_within
from airtally.database.rows import AnyRow
from airtally.database.tables import message_deliveries, webhook_endpoints
from airtally.kit import metrics
from airtally.kit.time import DAY_US, to_datetime
from airtally.webhooks.endpoints import disable
from airtally.webhooks.event_types import ENDPOINT_DISABLED
from airtally.webhooks.messages import MailText, Messages, Recipients
from airtally.webhooks.retry import earliest_us
from airtally.webhooks.states import MessageState

GONE = 410
#: An endpoint is disabled for failing only after so many failed tries, so that time alone, such as a stop of the
#: server or a jump of its clock, disables none.
LEAST_FAILURES = 10

_table = webhook_endpoints.c
_WHO = Recipients(every_endpoint=True, users=True)


@dataclass(frozen=True, slots=True)
class EndpointStanding:
    """An endpoint after a try: nothing is sent to it before `earliest` (microseconds UTC)."""

    enabled: bool
    earliest: int


class EndpointHealth:
    """Every call is within the caller's transaction. `days`: how long an endpoint may fail every try."""

    def __init__(self, messages: Messages, *, days: int) -> None:
        self._messages = messages
        self._days = days

    def lock(self, connection: Connection, endpoint_id: int) -> None:
        """Lock the endpoint until the transaction ends, so that outcomes are noted one after the other."""
        connection.execute(select(_table.id).where(_table.id == endpoint_id).with_for_update(key_share=True))

    def note(
        self,
        connection: Connection,
        endpoint_id: int,
        now: int,
        *,
        error: str | None,
        status_code: int | None,
        retry_after_us: int | None,
    ) -> EndpointStanding:
        """Note the outcome of a try."""
        row = connection.execute(select(webhook_endpoints).where(_table.id == endpoint_id)).one()
        if error is None:
            if row.failures or row.resume_at is not None:
                fresh = {"failures": 0, "failing_since": None, "resume_at": None}
                connection.execute(update(webhook_endpoints).where(_table.id == endpoint_id).values(fresh))
            return EndpointStanding(bool(row.enabled), now)
        failures, since = row.failures + 1, row.failing_since
        since = now if since is None or since > now else since  # later: the clock was set back since
        values = {"failures": failures, "failing_since": since}
        connection.execute(update(webhook_endpoints).where(_table.id == endpoint_id).values(values))
        earliest = earliest_us(row.resume_at, now) if retry_after_us is None else now + retry_after_us
        standing = EndpointStanding(bool(row.enabled), earliest)
        if not row.enabled:
            return standing
        if status_code == GONE:
            return self._disable(connection, row, now, "gone", "It answered 410 Gone")
        if failures >= LEAST_FAILURES and now - since >= self._days * DAY_US:
            reason = f"Every try failed since {to_datetime(since):%Y-%m-%d %H:%M} UTC; the last: {error}"
            return self._disable(connection, row, now, "failing", reason)
        if retry_after_us:
            _hold_until(connection, endpoint_id, now, earliest)
        return standing

    def _disable(self, connection: Connection, row: AnyRow, now: int, kind: str, reason: str) -> EndpointStanding:
        disable(connection, row.id, now, reason)
        metrics.ENDPOINTS_DISABLED.labels(kind).inc()
        account = account_within(connection, row.account_id)
        told = {"endpoint": row.id, "url": row.url, "reason": reason}
        self._messages.enqueue(
            *(connection, account, ENDPOINT_DISABLED, told, f"endpoint {row.id} disabled {now}"),
            to=_WHO,
            mail=MailText(
                f"A webhook endpoint of {account.name} was disabled",
                f"The server no longer sends to {row.url}.\n\n{reason}.\n\n"
                "Messages for it are held, and will be sent once it is enabled again.\n",
            ),
        )
        return EndpointStanding(enabled=False, earliest=now)


def _hold_until(connection: Connection, endpoint_id: int, now: int, until: int) -> None:
    """Nothing is sent to the endpoint earlier, as its receiver asked by `Retry-After`."""
    connection.execute(update(webhook_endpoints).where(_table.id == endpoint_id).values(resume_at=until))
    deliveries = message_deliveries.c
    early = deliveries.endpoint_id == endpoint_id, deliveries.state == MessageState.DUE, deliveries.due_at < until
    connection.execute(update(message_deliveries).where(*early).values(due_at=until, updated_at=now))
