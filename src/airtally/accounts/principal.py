"""The principal of a call, and a cache of those that were authenticated."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airtally.accounts.accounts import Account
from airtally.accounts.acting import Actor, ActorKind
from airtally.kit.cache import StoreCache

#: How long a key revoked in another process may still work in this one.
TTL_SECONDS = 1.0
#: From this age on, one caller reads the store again while the others still get the cached principal.
_FRESH_SECONDS = 0.7
_MAX_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a valid key. `expires_at` in microseconds UTC.

    `scopes` are what a native key may do (`Permission`). `user` is the name of the user whose token the key is.
    `details`: `applications` (codes the key may use; empty: all), `denied` (commands it may not), `cdn`,
    `email` (of a Tapjoy key), `offset_mode` (of a Slate key).
    """

    account: Account
    key_id: int
    kind: str
    scopes: frozenset[str]
    details: Mapping[str, Any]
    expires_at: int | None = None
    user: str | None = None

    @property
    def actor(self) -> Actor:
        """Who the audit trail says it is, without an address."""
        if self.user is not None:
            return Actor(ActorKind.USER, self.user)
        return Actor(ActorKind.KEY, str(self.key_id))


@dataclass(slots=True)
class _Entry:
    principal: Principal
    ask_at: float
    stale_at: float


class PrincipalCache:
    """Valid keys by their hash, for a second. Thread-safe by the lock of `StoreCache`: `get` suits the event loop."""

    def __init__(self) -> None:
        self._entries: StoreCache[str, _Entry] = StoreCache(_MAX_ENTRIES, TTL_SECONDS)

    @property
    def generation(self) -> int:
        return self._entries.generation

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
        """`read_at`: monotonic time from before the store was read; `generation`: from then, too."""
        entry = _Entry(principal, read_at + _FRESH_SECONDS, read_at + TTL_SECONDS)
        self._entries.put_read({key: entry}, generation)

    def clear(self) -> None:
        """Forget all, and what is being read at this moment."""
        self._entries.clear()


def _expired(principal: Principal, now_us: int) -> bool:
    return principal.expires_at is not None and principal.expires_at <= now_us
