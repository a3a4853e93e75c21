"""When keys were last used: noted beside the calls, at most once a minute for each key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy import update

from airtally.database.store import MetadataStore
from airtally.database.tables import keys
from airtally.kit import metrics
from airtally.kit.cache import Cache
from airtally.kit.clock import Clock
from airtally.kit.errors import Failure
from airtally.kit.time import SECOND_US

_log = structlog.get_logger()

EVERY_US = 60 * SECOND_US
#: Of a key beyond these the store tells when it was used last.
_MAX_KEYS = 10_000


class LastUse:
    """Writes on a thread of its own, which exists only once a key was used: no call waits for the store."""

    def __init__(self, store: MetadataStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted: Cache[int, int] = Cache(_MAX_KEYS)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="airtally-last-use")

    def note(self, key_id: int, written_us: int | None) -> None:
        """`written_us`: what the store has, as just read."""
        now = self._clock.now_us()
        with self._noted.locked() as noted:
            last = max(written_us or 0, noted.get(key_id, 0))
            if last and abs(now - last) < EVERY_US:  # a clock may have been set back
                return
            noted[key_id] = now
        try:
            self._writer.submit(self._write, key_id, now)
        except RuntimeError:  # closed: the server is stopping
            metrics.LAST_USE_FAILURES.inc()

    def close(self) -> None:
        """Write what was noted."""
        self._writer.shutdown(wait=True)

    def _write(self, key_id: int, now: int) -> None:
        try:
            with self._store.begin() as connection:
                connection.execute(update(keys).where(keys.c.id == key_id).values(last_used_at=now))
        except Failure as failure:
            metrics.LAST_USE_FAILURES.inc()
            _log.warning("last use of a key not noted", key=key_id, error=failure.message)
