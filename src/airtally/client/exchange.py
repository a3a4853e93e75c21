"""What a client does, without input or output: each exchange yields what is to be done and is sent what came of it.

Both clients run the same exchanges, one by blocking and one by awaiting.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from airtally.client.bodies import BodySink
from airtally.client.errors import AirtallyError, ConnectionFailed
from airtally.client.messages import ApiAnswer, ApiRequest
from airtally.client.problems import checked
from airtally.client.retry import RequestTries, RetryRules

T = TypeVar("T")
log = logging.getLogger("airtally.client")


@dataclass(frozen=True, slots=True)
class MakeRequest:
    """Send a request; what comes of it is the answer, or the error of the transport.

    `sink` takes the answer's body; without one it is in the answer.
    """

    request: ApiRequest
    sink: BodySink | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


#: Yields steps, is sent an outcome after each attempt, and returns what was asked for.
Exchange = Generator[MakeRequest | Pause, "ApiAnswer | AirtallyError | None", T]


def exchange(
    request: ApiRequest,
    understood: Callable[[ApiAnswer], T],
    policy: RetryRules,
    patience: float,
    now: Callable[[], float] = time.monotonic,
    *,
    sink: BodySink | None = None,
) -> Exchange[T]:
    """Send a request until it is answered; `understood` reads the answer of a success.

    Raises AirtallyError; one that is not repeatable is sent once.
    """
    tries = RequestTries(policy, patience, now)
    while True:
        outcome = yield MakeRequest(request, sink)
        try:
            return understood(_answer_of(outcome))
        except AirtallyError as error:
            wait = tries.wait_after(error) if request.repeatable else None
            if wait is None:
                raise
            log.warning("%s %s: %s; the next try is in %.2g s", request.method, request.path, error, wait)
        yield Pause(wait)


def _answer_of(outcome: ApiAnswer | AirtallyError | None) -> ApiAnswer:
    if isinstance(outcome, ApiAnswer):
        return checked(outcome)
    raise outcome or ConnectionFailed("no answer")
