"""Questions that benchmarks ask the running server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.server import Caller


def count(caller: Caller, days: int, **wanted: Any) -> int:
    """Playlogs of the last `days` days, today included, with the wanted column values."""
    now = datetime.now(UTC)
    question = {
        "stream": "playlogs",
        "metrics": ["count"],
        "start": f"{now.date() - timedelta(days=days - 1)}T00:00:00Z",
        "end": f"{now.date() + timedelta(days=2)}T00:00:00Z",
        "filter": wanted,
    }
    status, answer = caller.call("POST", "/api/v1/query", question)
    if status != 200:
        raise RuntimeError(f"the question was answered {status}: {answer}")
    rows = answer["rows"]
    return int(rows[0]["count"]) if rows else 0
