"""Limits on open connections, and which idle one is closed for a new one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from airtally.kit import metrics


@dataclass(eq=False, slots=True)
class Held:
    """One connection's entry. `close` closes the connection at once."""

    connections: Connections
    address: str
    close: Callable[[], object]

    def busy(self) -> None:
        """A request is being answered: the connection is not closed for others."""
        self.connections.move(self, idle=False)

    def idle(self) -> None:
        self.connections.move(self, idle=True)

    def leave(self) -> None:
        """Remove the entry. Calling it again does nothing."""
        self.connections.remove(self)


@dataclass(slots=True)
class _Address:
    """Connections of one address; `idle` in order, the longest idle first."""

    idle: dict[Held, None] = field(default_factory=dict)
    busy: set[Held] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self.idle) + len(self.busy)


class Connections:
    """At most `most` connections, and `each` for one address except for `exempt` ones, such as proxies.

    Beyond that a new connection replaces the one that was idle longest: one of its own address if that is at its
    limit, else one of the address with the most. So silent connections keep nobody out. Not thread-safe: for one event
    loop.
    """

    def __init__(self, most: int, each: int, exempt: Callable[[str], bool] = lambda _: False) -> None:
        self._most, self._each, self._exempt = most, each, exempt
        self._addresses: dict[str, _Address] = {}
        self._count = 0

    def enter(self, address: str, close: Callable[[], object]) -> Held | None:
        """Count a new connection; None if it must be refused, as all that could be closed for it are busy."""
        own = self._addresses.get(address)
        if own is not None and own.count >= self._each and not self._exempt(address) and not self._evict([own]):
            return None
        if self._count >= self._most and not self._evict(self._by_count()):
            return None
        held = Held(self, address, close)
        self._addresses.setdefault(address, _Address()).idle[held] = None
        self._changed(1)
        return held

    def move(self, held: Held, *, idle: bool) -> None:
        of = self._addresses.get(held.address)
        if of is None or (held not in of.idle and held not in of.busy):
            return
        of.idle.pop(held, None)
        of.busy.discard(held)
        if idle:
            of.idle[held] = None
        else:
            of.busy.add(held)

    def remove(self, held: Held) -> None:
        of = self._addresses.get(held.address)
        if of is None or (held not in of.idle and held not in of.busy):
            return
        of.idle.pop(held, None)
        of.busy.discard(held)
        if not of.count:
            del self._addresses[held.address]
        self._changed(-1)

    def __len__(self) -> int:
        return self._count

    def _by_count(self) -> list[_Address]:
        return sorted(self._addresses.values(), key=lambda each: -each.count)

    def _evict(self, addresses: Collection[_Address]) -> bool:
        for each in addresses:
            for oldest in each.idle:
                self.remove(oldest)
                oldest.close()
                metrics.CONNECTIONS_CLOSED.labels("gave way").inc()
                return True
        return False

    def _changed(self, by: int) -> None:
        self._count += by
        metrics.CONNECTIONS.set(self._count)
