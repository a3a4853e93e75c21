"""Who makes the change that is under way, for the audit trail."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    KEY = "key"
    USER = "user"
    COMMAND = "command"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Actor:
    """`name`: a key's number, a user's name, or the user of the machine who runs a command. `address` of the client."""

    kind: ActorKind
    name: str
    address: str = ""

    def __str__(self) -> str:
        """`key 12`, `user ana`."""
        return f"{self.kind} {self.name}"


#: The server itself, if nobody asked: what expires, retries and schedules do.
SERVER = Actor(ActorKind.SERVER, "airtally")

_ACTOR: ContextVar[Actor] = ContextVar("actor", default=SERVER)


def current_actor() -> Actor:
    return _ACTOR.get()


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Changes in this block, on this thread or task, are this actor's."""
    token = _ACTOR.set(actor)
    try:
        yield
    finally:
        _ACTOR.reset(token)


def command_actor() -> Actor:
    """Whoever runs a command on this machine."""
    try:
        return Actor(ActorKind.COMMAND, getpass.getuser())
    except (KeyError, OSError):  # a container's user without a name
        return Actor(ActorKind.COMMAND, "unknown")
