"""Work that a server elsewhere does when it is asked, and a command waits for."""

from __future__ import annotations

from typing import Any

from airtally.cli.server import ApiServer
from airtally.cli.waiting import until_ended

#: Beyond it the server goes on alone.
_MOST_SECONDS = 3600.0


def until_done(api: ApiServer, path: str) -> dict[str, Any]:
    """The task that `path` shows, once it is done. Raises Unavailable where it failed, or takes over an hour."""
    return until_ended(
        lambda: api.get(path),
        f"Task {path.rpartition('/')[2]}",
        wait=_MOST_SECONDS,
        under_way={"waiting", "running"},
        succeeded="done",
    )
