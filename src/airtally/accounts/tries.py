"""Tries to log in: when the next one may come, by address, by user, and by a device that the user has logged in from."""

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
    """Failures that have not leaked away yet (one a minute does), and when the last counted try began."""

    failures: float
    last_us: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A second between tries; after `free` failures each further one doubles it, up to `most` seconds.

    `own`: only tries from where the user is now count; a right password then makes good for all of them.
    """

    free: int
    most: float
    own: bool = False

    def wait(self, count: Count, now_us: int) -> float:
        """In seconds. A clock that was set back ends the wait: nobody waits for it to come round again."""
        gap = min(self.most, 2.0 ** max(0.0, self.leaked(count, now_us) - self.free))
        elapsed = (now_us - count.last_us) / SECOND_US
        return 0.0 if abs(elapsed) >= gap else min(gap, gap - elapsed)

    def leaked(self, count: Count, now_us: int) -> float:
        """No more failures are counted than make the longest wait, so that it ends soon after the guessing does."""
        leaked = max(0.0, count.failures - max(0, now_us - count.last_us) / _LEAK_US)
        return min(leaked, self.free + math.log2(self.most))


#: 30 addresses that guess at one user come to a try in 5 seconds together, and each of them soon to one in a minute,
#: which leaves the user a turn. A device that the user has logged in from waits for its own failures alone.
_ADDRESS, _USER = Rule(10, 5.0), Rule(3, 5.0)
_USER_AT_ADDRESS = _DEVICE = Rule(3, 60.0, own=True)


@dataclass(frozen=True, slots=True)
class Try:
    """One that may be made, and what was counted before it."""

    rules: Mapping[str, Rule]
    before: Mapping[str, Count]


class Book(Protocol):
    """Where the counts are."""

    def change(self, keys: list[str], change: Callable[[Mapping[str, Count]], Mapping[str, Count]]) -> None:
        """Atomic. What `change` raises leaves all as it was."""


class Tries:
    """Thread-safe. In this process, or shared through the metadata store where that is PostgreSQL. Always on."""

    def __init__(self, store: MetadataStore, clock: Clock) -> None:
        self._clock = clock
        self._book: Book = _Shared(store, clock) if store.dialect == "postgresql" else _Here()

    def begin(self, username: str, host: str, device: str | None = None) -> Try:
        """Counted as a failure until it succeeds, whether there is such a user or not.

        `device`: what `KnownDevices` knows the browser by. Raises TooManyRequests; a refused try counts nowhere.
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
        """The user's own failures, and this try, are forgiven; those of others at the user are not."""
        own = max(tried.before[key].failures for key, rule in tried.rules.items() if rule.own)

        def forgive(found: Mapping[str, Count]) -> Mapping[str, Count]:
            kept = {key: 0.0 if rule.own else found[key].failures - own - 1 for key, rule in tried.rules.items()}
            return {key: Count(max(0.0, failures), found[key].last_us) for key, failures in kept.items()}

        self._book.change(list(tried.rules), forgive)

    def undo(self, tried: Try) -> None:
        """The password was not looked at."""
        self._book.change(list(tried.rules), lambda _: tried.before)


def _rules(username: str, address: str, device: str | None) -> dict[str, Rule]:
    if device is not None:
        return {_key("device", username, device): _DEVICE}
    return {
        _key("address", address): _ADDRESS,
        _key("user", username): _USER,
        _key("user at", username, address): _USER_AT_ADDRESS,
    }


def _key(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _too_many(seconds: int) -> TooManyRequests:
    when = "a moment" if seconds == 1 else f"{seconds} seconds"
    return TooManyRequests(f"Too many tries: wait {when}.", retry_after=seconds)


class _Here:
    """In memory, the latest `MAX_KEYS` of them."""

    def __init__(self) -> None:
        self._counts: Cache[str, Count] = Cache(MAX_KEYS)

    def change(self, keys: list[str], change: Callable[[Mapping[str, Count]], Mapping[str, Count]]) -> None:
        with self._counts.locked() as counts:
            counts.update(change({key: counts.get(key, Count(0.0, 0)) for key in keys}))


class _Shared:
    """Rows are locked in the order of their keys, so that tries which meet do not deadlock."""

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
