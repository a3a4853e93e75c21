"""Removes messages by their age, with their deliveries and tries."""

from __future__ import annotations

from sqlalchemy import delete, exists, select

from airtally.database.store import MetadataStore
from airtally.database.tables import message_deliveries, message_tries, messages
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US
from airtally.webhooks.states import MessageState

#: Removed in one transaction, so that others can write in between.
_A_TIME = 500
_TRIED = (MessageState.DUE, MessageState.SENDING)


class MessageExpiry:
    """The step of a background loop. Messages are kept for `days`, and longer while a delivery is still tried."""

    def __init__(self, store: MetadataStore, clock: Clock, *, days: int) -> None:
        self._store = store
        self._clock = clock
        self._days = days

    def step(self) -> float | None:
        """Remove some old messages; returns 0 to be called again at once where there may be more."""
        tried = message_deliveries.c.message_id == messages.c.id, message_deliveries.c.state.in_(_TRIED)
        limit = self._clock.now_us() - self._days * DAY_US
        old = (
            select(messages.c.id)
            .where(messages.c.created_at < limit, ~exists().where(*tried))
            .order_by(messages.c.created_at)
        )
        with self._store.read() as connection:
            ids = connection.execute(old.limit(_A_TIME)).scalars().all()
        if not ids:
            return None
        own = message_deliveries.c.message_id.in_(ids)
        locked = select(message_deliveries.c.message_id, message_deliveries.c.state).where(own).with_for_update()
        with self._store.begin() as connection:
            found = connection.execute(locked).all()  # one that is redelivered meanwhile stays
            kept = {row.message_id for row in found if row.state in _TRIED}
            gone = [each for each in ids if each not in kept]
            deliveries = select(message_deliveries.c.id).where(message_deliveries.c.message_id.in_(gone))
            connection.execute(delete(message_tries).where(message_tries.c.delivery_id.in_(deliveries)))
            connection.execute(delete(message_deliveries).where(message_deliveries.c.message_id.in_(gone)))
            connection.execute(delete(messages).where(messages.c.id.in_(gone)))
        metrics.MESSAGES_EXPIRED.inc(len(gone))
        return 0.0 if len(ids) == _A_TIME else None
