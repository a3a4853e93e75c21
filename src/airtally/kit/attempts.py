"""Whether the request under work presents a credential that is wrong: noted where it is found, read at the answer."""

from __future__ import annotations

from contextvars import ContextVar


class Attempt:
    """Of one request. `failed`: the last credential looked at is unknown, expired, revoked or does not match.

    A request without a credential has not failed, nor has one whose key is right but may not do what it asks.
    """

    __slots__ = ("failed",)

    def __init__(self) -> None:
        self.failed = False


#: Set for each request by the outermost layer. A worker thread's copy of the context holds the same object.
ATTEMPT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


def note(*, right: bool) -> None:
    """A credential was looked at. Of several readings of one credential the last counts, so a right one makes good."""
    attempt = ATTEMPT.get()
    if attempt is not None:
        attempt.failed = not right
