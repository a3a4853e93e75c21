"""Limits of the HTTP server: per connection, per address and in all."""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace

from airtally.settings import Settings

#: Open files that are left to buffer, lake and database at least.
_LEAST_RESERVED = 128
#: No more open files than this are asked for; some systems allow a billion.
_MOST_FILES = 65_536


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are in bytes. At most `each` connections of one address, `connections` in all.

    `head` limits the request line with its header, or the trailer, and `head_seconds` the time from its first byte. A
    connection without a request is closed after `idle_seconds`, one whose client does not read the answer after
    `stalled_seconds`. What a client still sends after its answer is read and dropped, up to `drain` bytes and
    `drain_seconds`.
    """

    connections: int = 4096
    each: int = 2048
    head: int = 64 << 10
    fields: int = 256
    pipelined: int = 32
    head_seconds: float = 10.0
    idle_seconds: float = 10.0
    stalled_seconds: float = 30.0
    drain: int = 64 << 20
    drain_seconds: float = 10.0

    def within(self, files: int) -> Limits:
        """These limits with as many connections as a process with so many open files can have, half for one address."""
        most = max(1, min(self.connections, files - max(_LEAST_RESERVED, files // 4)))
        return replace(self, connections=most, each=max(1, most // 2))


def limits_of(settings: Settings) -> Limits:
    return Limits(
        connections=settings.connections, each=max(1, settings.connections // 2), idle_seconds=settings.idle_seconds
    )


def open_files() -> int:
    """Raise the soft limit of open files as far as the hard one allows, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return _MOST_FILES if soft == resource.RLIM_INFINITY else soft
