"""Rate limits: one call per interval and key; a refused call counts as one."""

from __future__ import annotations

import hashlib
import threading

import structlog
from sqlalchemy import delete, func

from airtally.database.store import MetadataStore
from airtally.database.tables import rate_limits
from airtally.kit import metrics
from airtally.kit.cache import Cache
from airtally.kit.clock import Clock
from airtally.kit.errors import Failure
from airtally.kit.time import SECOND_US

_log = structlog.get_logger()

MAX_KEYS = 100_000
LONGEST_SECONDS = 3600.0
_SWEEP_EVERY = 1000


class RateLimiter:
    """Limits calls in this process, or in all where the metadata store is PostgreSQL or they serve `together`.

    Then `shared` is true, and `allow` reads and writes the store: not for the event loop. If the store fails,
    the call is allowed and counted in the metrics.
    """

    def __init__(self, store: MetadataStore, clock: Clock, *, enabled: bool = True, together: bool = False) -> None:
        self._store = store
        self._clock = clock
        self._enabled = enabled
        self.shared = enabled and (together or store.dialect == "postgresql")
        self._last: Cache[bytes, int] = Cache(MAX_KEYS)
        self._lock = threading.Lock()
        self._calls = 0

    def allow(self, key: str, per_seconds: float) -> bool:
        """Whether the last call with this key is at least `per_seconds` ago (an hour at most).

        A last call further in the future than that was made before the clock was set back, and limits nothing.
        """
        if not self._enabled:
            return True
        digest = hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=16).digest()
        per_us = round(min(per_seconds, LONGEST_SECONDS) * SECOND_US)
        return self._allow_shared(digest.hex(), per_us) if self.shared else self._allow_here(digest, per_us)

    def _allow_here(self, key: bytes, per_us: int) -> bool:
        now = self._clock.now_us()
        with self._last.locked() as calls:
            last = calls.get(key)
            calls[key] = now
        return last is None or abs(now - last) >= per_us

    def _allow_shared(self, key: str, per_us: int) -> bool:
        try:
            allowed = self._ask(key, per_us)
            self._sweep()
        except Failure as failure:
            metrics.LIMITER_FAILURES.inc()
            _log.warning("rate limit unknown, call let through", error=failure.message)
            return True
        return allowed

    def _ask(self, key: str, per_us: int) -> bool:
        """Check and record in one statement: the row's lock decides between simultaneous calls."""
        new = self._store.upserts.insert(rate_limits).values(key=key, last_call_at=self._clock.now_us(), allowed=True)
        waited = new.excluded.last_call_at - rate_limits.c.last_call_at
        changes = {"last_call_at": new.excluded.last_call_at, "allowed": func.abs(waited) >= per_us}
        asked = new.on_conflict_do_update(index_elements=["key"], set_=changes).returning(rate_limits.c.allowed)
        with self._store.begin() as connection:
            return bool(connection.execute(asked).scalar_one())

    def _sweep(self) -> None:
        """Delete rows older than the longest limit."""
        with self._lock:
            self._calls += 1
            due = self._calls % _SWEEP_EVERY == 0
        if due:
            limit = self._clock.now_us() - round(LONGEST_SECONDS * SECOND_US)
            with self._store.begin() as connection:
                connection.execute(delete(rate_limits).where(rate_limits.c.last_call_at < limit))
