"""Work that a server elsewhere does when it is asked, and a command waits for."""

from __future__ import annotations

import time
from typing import Any

from airtally.cli.server import ApiServer
from airtally.kit.errors import Unavailable

_LOOK_SECONDS = 0.5
#: Beyond it the server goes on alone.
_MOST_SECONDS = 3600.0


def until_done(api: ApiServer, path: str) -> dict[str, Any]:
    """The task that `path` shows, once it is done. Raises Unavailable where it failed, or takes over an hour."""
    deadline = time.monotonic() + _MOST_SECONDS
    while True:
        task: dict[str, Any] = api.get(path)
        if task["state"] == "done":
            return task
        if task["state"] == "failed" or time.monotonic() > deadline:
            raise Unavailable(f"Task {task['id']} is {task['state']}: {task['error'] or 'it takes long'}")
        time.sleep(_LOOK_SECONDS)
