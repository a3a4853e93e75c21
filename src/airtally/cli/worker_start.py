"""What a parent tells a worker process that it starts, and what the worker answers once it serves."""

from __future__ import annotations

import msgspec

#: Status of a worker that stopped because a newer version has changed the home: starting another would not help.
SUPERSEDED = 75


class WorkerStart(msgspec.Struct, frozen=True):
    """The one argument of a worker, as JSON. Numbers of sockets are those of files that it inherits.

    `control` is a socket to the parent: the worker writes `WorkerServes` as a line, and stops once it reads the end.
    """

    number: int
    count: int
    folder: str
    first: bool
    host: str
    scheme: str
    sockets: tuple[int, ...]
    control: int
    tls: tuple[str | None, str | None]
    log_level: str


class WorkerServes(msgspec.Struct, frozen=True):
    """`lines` are to be printed below the address that is listened on."""

    lines: tuple[str, ...]
