"""Whether the current request presented a wrong credential: noted where it is checked, read when the answer is sent."""

from __future__ import annotations

from contextvars import ContextVar


class Attempt:
    """State of one request. `failed`: the last credential checked is unknown, expired, revoked or does not match.

    A request without a credential has not failed, nor has one whose key is right but may not do what it asks.
    """

    __slots__ = ("failed",)

    def __init__(self) -> None:
        self.failed = False


#: Set for each request by the outermost layer. A worker thread's copy of the context holds the same object.
ATTEMPT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


def note(*, right: bool) -> None:
    """Note the outcome of a check.

    The last one counts: a credential may be tried as several kinds before one matches.
    """
    attempt = ATTEMPT.get()
    if attempt is not None:
        attempt.failed = not right
