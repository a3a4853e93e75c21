"""The principal of a call, and a cache of those that were authenticated."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airtally.accounts.accounts import Account

#: How long a key revoked in another process may still work in this one.
TTL_SECONDS = 1.0
#: From this age on, one caller reads the store again while the others still get the cached principal.
_FRESH_SECONDS = 0.7
_MAX_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a valid key. `expires_at` in microseconds UTC.

    `details`: `applications` (codes the key may use; empty: all), `denied` (commands it may not), `cdn`,
    `email` (of a Tapjoy key), `offset_mode` (of a Slate key).
    """

    account: Account
    key_id: int
    kind: str
    scopes: frozenset[str]
    details: Mapping[str, Any]
    expires_at: int | None = None


@dataclass(slots=True)
class _Entry:
    principal: Principal
    ask_at: float
    stale_at: float


class PrincipalCache:
    """A bounded cache of principals by the hash of their key. Thread-safe; `get` never blocks."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()
        self.generation = 0

    def get(self, key: str, now_us: int) -> Principal | None:
        """None also for the one caller that is to refresh the entry before it expires for the others."""
        entry = self._entries.get(key)
        now = time.monotonic()
        if entry is None or now >= entry.stale_at or _expired(entry.principal, now_us):
            return None
        if now >= entry.ask_at:
            entry.ask_at = entry.stale_at
            return None
        return entry.principal

    def put(self, key: str, principal: Principal, read_at: float, generation: int) -> None:
        """`read_at` (monotonic) and `generation` are from before the store was read."""
        with self._lock:
            if generation != self.generation:
                return
            self._entries.pop(key, None)
            self._entries[key] = _Entry(principal, read_at + _FRESH_SECONDS, read_at + TTL_SECONDS)
            if len(self._entries) > _MAX_ENTRIES:
                self._entries.pop(next(iter(self._entries)))

    def clear(self) -> None:
        """Drop all entries, and any that is being read at this moment."""
        with self._lock:
            self.generation += 1
            self._entries.clear()


def _expired(principal: Principal, now_us: int) -> bool:
    return principal.expires_at is not None and principal.expires_at <= now_us
