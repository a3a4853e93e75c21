"""Sends the notices of reports that are due."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from airtally.jobs.sending import SendingLoop
from airtally.kit.outgoing import Outgoing, OutgoingFailed
from airtally.reports.outbox import Deliveries, Delivery

_log = structlog.get_logger()

#: Of one account: its receiver may hang for the 30 seconds that each try has.
MOST_EACH = 100
_HEADERS = {"Content-Type": "application/json"}

#: The status that was answered, or why none was.
PostOutcome = tuple[int | None, str | None]


class DeliveryLoop(SendingLoop[Delivery, PostOutcome]):
    """Posts tries under their leases."""

    name = "deliveries"
    most_at_once = 500

    def __init__(self, deliveries: Deliveries, outgoing: Outgoing, *, poll_seconds: float = 1.0) -> None:
        super().__init__(poll_seconds=poll_seconds)
        self._deliveries = deliveries
        self._outgoing = outgoing

    def claim(self, under_way: Sequence[Delivery], limit: int) -> list[Delivery]:
        return self._deliveries.claim_due({each.id: each.account_id for each in under_way}, limit, MOST_EACH)

    def settle(self, item: Delivery, outcome: PostOutcome) -> None:
        self._deliveries.settle(item, *outcome)

    def release(self, item: Delivery) -> None:
        self._deliveries.release(item)

    async def send(self, item: Delivery) -> PostOutcome:
        status, error = await self._post(item)
        _log.info(
            "webhook tried", delivery=item.id, report=item.report_id, attempt=item.attempt, status=status, error=error
        )
        return status, error

    async def _post(self, delivery: Delivery) -> PostOutcome:
        try:
            reply = await self._outgoing.post(delivery.url, delivery.payload.encode(), _HEADERS)
        except OutgoingFailed as failure:
            return None, failure.message
        except Exception as error:  # noqa: BLE001 (whatever a receiver makes a library raise, the try is over)
            _log.exception("webhook failed unexpectedly", delivery=delivery.id)
            return None, f"The try failed: {type(error).__name__}"
        return reply.status, None
