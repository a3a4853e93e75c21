"""Work that a command waits for, by looking at its state twice a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from airtally.kit.errors import Unavailable

LOOK_SECONDS = 0.5


def until_ended(
    look: Callable[[], dict[str, Any]],
    named: str,
    *,
    wait: float,
    under_way: Collection[str],
    succeeded: str,
    working: AbstractContextManager[None] | None = None,
) -> dict[str, Any]:
    """What `look` shows once it is under way no longer; `working` is entered while it is.

    Raises Unavailable, with its name for people, where it has not succeeded within `wait` seconds.
    """
    found, deadline = look(), time.monotonic() + wait
    if found["state"] in under_way:
        with working or nullcontext():
            while found["state"] in under_way and time.monotonic() < deadline:
                time.sleep(LOOK_SECONDS)
                found = look()
    if found["state"] != succeeded:
        raise Unavailable(f"{named} is {found['state']}: {found['error'] or 'it takes long'}")
    return found
