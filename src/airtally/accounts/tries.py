"""Limits log-ins: when the next try is allowed, by address, by user and by known device."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sqlalchemy import bindparam, delete, select, update

from airtally.database.store import MetadataStore
from airtally.database.tables import login_tries
from airtally.kit.addresses import neighbourhood
from airtally.kit.cache import Cache
from airtally.kit.clock import Clock
from airtally.kit.errors import TooManyRequests
from airtally.kit.time import SECOND_US

MAX_KEYS = 100_000
_LEAK_US = 60 * SECOND_US
_FORGOTTEN_US = 3600 * SECOND_US
_SWEEP_EVERY = 1000


class Count(NamedTuple):
    """A leaky bucket: failures less one a minute, and when the last counted try began."""

    failures: float
    last_us: int


@dataclass(frozen=True, slots=True)
class Rule:
    """The wait between tries: 1 second, doubled by each failure after the first `free`, up to `most` seconds.

    `own`: counts only tries from the user's present address or device; a right password clears them all.
    """

    free: int
    most: float
    own: bool = False

    def wait(self, count: Count, now_us: int) -> float:
        """Seconds to wait. A clock that was set back ends the wait."""
        gap = min(self.most, 2.0 ** max(0.0, self.leaked(count, now_us) - self.free))
        elapsed = (now_us - count.last_us) / SECOND_US
        return 0.0 if abs(elapsed) >= gap else min(gap, gap - elapsed)

    def leaked(self, count: Count, now_us: int) -> float:
        """Failures left, at most as many as make the longest wait, so that waits end soon after the guessing."""
        leaked = max(0.0, count.failures - max(0, now_us - count.last_us) / _LEAK_US)
        return min(leaked, self.free + math.log2(self.most))


#: 30 addresses that guess at one user get one try in 5 seconds together, and each of them soon one in a minute,
#: which leaves the user a turn. A device that the user has logged in from waits only for its own failures.
_ADDRESS, _USER = Rule(10, 5.0), Rule(3, 5.0)
_USER_AT_ADDRESS = _DEVICE = Rule(3, 60.0, own=True)


@dataclass(frozen=True, slots=True)
class Try:
    """A try that is allowed, and the counts before it."""

    rules: Mapping[str, Rule]
    before: Mapping[str, Count]


class Book(Protocol):
    """Stores the counts."""

    def change(self, keys: list[str], change: Callable[[Mapping[str, Count]], Mapping[str, Count]]) -> None:
        """Change the counts of these keys atomically; an exception of `change` leaves them as they were."""


class Tries:
    """Thread-safe. Counts in this process, or in all of them where the metadata store is PostgreSQL. Always on."""

    def __init__(self, store: MetadataStore, clock: Clock) -> None:
        self._clock = clock
        self._book: Book = _Shared(store, clock) if store.dialect == "postgresql" else _Here()

    def begin(self, username: str, host: str, device: str | None = None) -> Try:
        """Start a try, counted as a failure until `succeeded`, whether or not the user exists.

        `device`: the id from `KnownDevices`. Raises TooManyRequests; a refused try is not counted.
        """
        rules = _rules(username, neighbourhood(host), device)
        before: dict[str, Count] = {}

        def count(found: Mapping[str, Count]) -> Mapping[str, Count]:
            now = self._clock.now_us()
            wait = max(rule.wait(found[key], now) for key, rule in rules.items())
            if wait > 0:
                raise _too_many(math.ceil(wait))
            before.update(found)
            return {key: Count(rule.leaked(found[key], now) + 1, now) for key, rule in rules.items()}

        self._book.change(list(rules), count)
        return Try(rules, before)

    def succeeded(self, tried: Try) -> None:
        """Clear this try and the user's own failures, not those of others for this user."""
        own = max(tried.before[key].failures for key, rule in tried.rules.items() if rule.own)

        def forgive(found: Mapping[str, Count]) -> Mapping[str, Count]:
            kept = {key: 0.0 if rule.own else found[key].failures - own - 1 for key, rule in tried.rules.items()}
            return {key: Count(max(0.0, failures), found[key].last_us) for key, failures in kept.items()}

        self._book.change(list(tried.rules), forgive)

    def undo(self, tried: Try) -> None:
        """Restore the counts: the password was not checked."""
        self._book.change(list(tried.rules), lambda _: tried.before)


def _rules(username: str, address: str, device: str | None) -> dict[str, Rule]:
    if device is not None:
        return {_counter_key("device", username, device): _DEVICE}
    return {
        _counter_key("address", address): _ADDRESS,
        _counter_key("user", username): _USER,
        _counter_key("user at", username, address): _USER_AT_ADDRESS,
    }


def _counter_key(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _too_many(seconds: int) -> TooManyRequests:
    when = "a moment" if seconds == 1 else f"{seconds} seconds"
    return TooManyRequests(f"Too many tries: wait {when}.", retry_after=seconds)


class _Here:
    """Counts in memory, of the latest `MAX_KEYS` keys."""

    def __init__(self) -> None:
        self._counts: Cache[str, Count] = Cache(MAX_KEYS)

    def change(self, keys: list[str], change: Callable[[Mapping[str, Count]], Mapping[str, Count]]) -> None:
        with self._counts.locked() as counts:
            counts.update(change({key: counts.get(key, Count(0.0, 0)) for key in keys}))


class _Shared:
    """Counts in PostgreSQL. Rows are locked in the order of their keys, so that two tries cannot deadlock."""

    def __init__(self, store: MetadataStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._calls = 0

    def change(self, keys: list[str], change: Callable[[Mapping[str, Count]], Mapping[str, Count]]) -> None:
        t = login_tries.c
        rows = [{"key": key, "failures": 0.0, "last_at": 0} for key in sorted(keys)]
        locked = select(t.key, t.failures, t.last_at).where(t.key.in_(keys)).order_by(t.key).with_for_update()
        changed = update(login_tries).where(t.key == bindparam("of"))
        with self._store.begin() as connection:
            connection.execute(self._store.upserts.insert(login_tries).values(rows).on_conflict_do_nothing())
            found = {row.key: Count(row.failures, row.last_at) for row in connection.execute(locked)}
            for key, count in sorted(change(found).items()):
                connection.execute(changed.values(failures=count.failures, last_at=count.last_us), {"of": key})
        self._sweep()

    def _sweep(self) -> None:
        self._calls += 1
        if self._calls % _SWEEP_EVERY == 0:
            with self._store.begin() as connection:
                old = login_tries.c.last_at < self._clock.now_us() - _FORGOTTEN_US
                connection.execute(delete(login_tries).where(old))
