"""Pushwoosh's event statistics: thirty days with a filter on an attribute, from the schedule to the result."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.harness import Aim, Place, Result
from benchmarks.kept import Kept, kept
from benchmarks.raw import Raw, midnight, percentile
from benchmarks.server import Caller, Server
from benchmarks.sources import app_events, app_events_at

DAYS = 30
_EVENTS = ("CartOpen", "Purchase", "ScreenOpen")
_BY_HAND = """
    SELECT epoch_us(time) // 3600000000 * 3600 AS at, sum(count)::BIGINT AS count
    FROM {rows} WHERE application = $application AND event = $event AND time >= $start AND time < $end
        AND (attributes->>'$.source') = 'push'
    GROUP BY ALL
"""


def event_statistics(place: Place) -> Result:
    data = kept(place, app_events(place))
    codes = app_events_at(place, data.end_day).applications.codes
    asked = [(code, event) for _ in range(place.size(5, 1)) for code in codes for event in _EVENTS]
    with Server(data.home) as server, Caller(server) as caller, Raw(data.home, "app_events") as raw:
        both = [_both(data, caller, raw, code, event) for code, event in [asked[0], *asked]][1:]
    ours, theirs = ([pair[side] for pair in both] for side in (0, 1))
    slowest = percentile(ours, 1.0)
    return Result(
        name="event_statistics",
        title=f"Pushwoosh event statistics of {DAYS} days with an attribute filter, from schedule to ready",
        parameters={"rows": data.rows, "applications": len(codes), "questions": len(asked)},
        figures={"p50 ms": percentile(ours, 0.5), "slowest ms": slowest} | data.loading,
        reference={"DuckDB on the raw Parquet files, p50 ms": percentile(theirs, 0.5)},
        ratio=percentile(theirs, 0.5) / percentile(ours, 0.5),
        aims=[Aim("p50", percentile(ours, 0.5) / 1000, 1, "s", at_most=True)],
        notes=[
            f"{', '.join(_EVENTS)} of every application, `source` EQ `push`; every answer compared with the reference's"
        ],
    )


def _both(data: Kept, caller: Caller, raw: Raw, code: str, event: str) -> tuple[float, float]:
    """Seconds here and by hand. Raises RuntimeError where the answers differ."""
    first = data.end_day - timedelta(days=DAYS - 1)
    wanted = {
        "application": code,
        "event": event,
        "date_from": str(first),
        "date_to": str(data.end_day),
        "attributes": [{"name": "source", "operator": "EQ", "values": ["push"]}],
    }
    begun = time.perf_counter()
    request_id = _call(data, caller, "getEventStatistics", wanted)["response"]["request_id"]
    answer = _call(data, caller, "getResults", {"request_id": request_id})
    while answer["status_code"] == 420:
        answer = _call(data, caller, "getResults", {"request_id": request_id})
    ours = time.perf_counter() - begun
    start, end = midnight(first), midnight(data.end_day) + timedelta(days=1)
    parameters = {"application": code, "event": event, "start": start, "end": end}
    theirs, found = raw.ask(_BY_HAND, raw.files(start, end), parameters)
    counted = {
        _text(at): count for at, count in zip(*(found.column(n).to_pylist() for n in ("at", "count")), strict=True)
    }
    told = {row["date"]: row["count"] for row in answer["response"]}
    if len(told) != 24 * DAYS or {at: count for at, count in told.items() if count} != counted:
        raise RuntimeError(f"{event} of {code}: {len(told)} hours told, {len(counted)} found, or their counts differ")
    return ours, theirs


def _call(data: Kept, caller: Caller, method: str, wanted: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps({"request": {"auth": data.keys["pushwoosh"]["auth"]} | wanted}).encode()
    answer = caller.ask("POST", f"/json/1.3/{method}", {"Content-Type": "application/json"}, body)
    if answer.status != 200 or answer.content["status_code"] not in {200, 420}:
        raise RuntimeError(f"{method} was answered {answer.status}: {answer.text[:500]!r}")
    return dict(answer.content)


def _text(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
