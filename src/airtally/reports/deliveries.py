"""Sends the notices of reports that are due."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import structlog

from airtally.jobs.sending import SendingLoop
from airtally.kit.excerpts import BODY_BYTES, excerpt_of_body, excerpt_of_headers
from airtally.kit.outgoing import Outgoing, OutgoingFailed
from airtally.reports.outbox import NOTICE_HEADERS, Deliveries, Delivery, NoticeOutcome

_log = structlog.get_logger()

#: Of one account: its receiver may hang for the 30 seconds that each try has.
MOST_EACH = 100


class DeliveryLoop(SendingLoop[Delivery, NoticeOutcome]):
    """Posts tries under their leases."""

    name = "deliveries"
    most_at_once = 500

    def __init__(self, deliveries: Deliveries, outgoing: Outgoing, *, poll_seconds: float = 1.0) -> None:
        super().__init__(poll_seconds=poll_seconds)
        self._deliveries = deliveries
        self._outgoing = outgoing

    def claim(self, under_way: Sequence[Delivery], limit: int) -> list[Delivery]:
        return self._deliveries.claim_due({each.id: each.account_id for each in under_way}, limit, MOST_EACH)

    def settle(self, item: Delivery, outcome: NoticeOutcome) -> None:
        self._deliveries.settle(item, outcome)

    def release(self, item: Delivery) -> None:
        self._deliveries.release(item)

    async def send(self, item: Delivery) -> NoticeOutcome:
        began = time.monotonic()
        outcome = await self._post(item)
        _log.info(
            "webhook tried",
            delivery=item.id,
            report=item.report_id,
            attempt=item.attempt,
            status=outcome.status_code,
            error=outcome.error,
        )
        return replace(outcome, duration_us=round((time.monotonic() - began) * 1_000_000))

    async def _post(self, delivery: Delivery) -> NoticeOutcome:
        try:
            reply = await self._outgoing.post(
                delivery.url, delivery.payload.encode(), NOTICE_HEADERS, excerpt=BODY_BYTES
            )
        except OutgoingFailed as failure:
            return NoticeOutcome(error=failure.message)
        except Exception as error:  # noqa: BLE001 (whatever a receiver makes a library raise, the try is over)
            _log.exception("webhook failed unexpectedly", delivery=delivery.id)
            return NoticeOutcome(error=f"The try failed: {type(error).__name__}")
        return NoticeOutcome(
            reply.status, answer_headers=excerpt_of_headers(reply.headers), answer_body=excerpt_of_body(reply.body)
        )
