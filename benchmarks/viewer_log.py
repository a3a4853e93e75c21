"""ScaleEngine's viewer.log, graph 2: a day by the minute, of one stream and of a hundred."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import time
from typing import Any
from urllib.parse import urlencode

from benchmarks.harness import Aim, Place, Result
from benchmarks.kept import Kept, kept
from benchmarks.raw import Raw, midnight, percentile
from benchmarks.server import Answer, Caller, Server
from benchmarks.sources import viewers, viewers_at

#: Rows as one writes them who knows the table, and all of them as the text of the answer's rows.
_BY_HAND = """
    SELECT '[' || string_agg(to_json(found)::VARCHAR, ',' ORDER BY time, app, video_url) || ']' AS data FROM (
    SELECT app, video_url, strftime(time, '%Y-%m-%d %H:%M:%S') AS time, floor(avg(viewers) + 0.5)::BIGINT AS viewer_count_avg,
        min(viewers) AS viewer_count_min, max(viewers) AS viewer_count_max, sum(viewers)::BIGINT AS viewer_count_sum
    FROM {rows} WHERE list_contains($apps, app) AND time >= $start AND time < $end {urls}
    GROUP BY ALL) found
"""
_ONE = _BY_HAND.replace("{urls}", "AND video_url = $url")
_ALL = _BY_HAND.replace("{urls}", "")


def viewer_log(place: Place) -> Result:
    data = kept(place, viewers(place))
    made = viewers_at(place, data.end_day)
    chance = random.Random(2)
    one = [chance.choice(made.all_videos) for _ in range(place.size(200, 10))]
    apps = [name for name, _ in made.apps]
    with Server(data.home) as server, Caller(server) as caller, Raw(data.home, "viewer_samples") as raw:
        asked = _Asked(data, caller, raw)
        asked.both(apps, None)
        single = [asked.both([video.app], video.url) for video in one]
        all_ours, all_theirs = zip(*(asked.both(apps, None) for _ in range(place.size(15, 2))), strict=True)
    ours, theirs = zip(*single, strict=True)
    small = percentile(list(theirs), 0.5) / percentile(list(ours), 0.5)
    large = percentile(list(all_theirs), 0.5) / percentile(list(all_ours), 0.5)
    return Result(
        name="viewer_log",
        title="ScaleEngine viewer.log graph 2, a day by the minute, over HTTP, one call at a time",
        parameters={"samples": data.rows, "streams": made.videos, "servers": len(made.servers), "rows": asked.rows},
        figures={
            "one stream p50 ms": percentile(list(ours), 0.5),
            "one stream p99 ms": percentile(list(ours), 0.99),
            "all streams p50 ms": percentile(list(all_ours), 0.5),
        }
        | data.loading,
        reference={
            "DuckDB on the raw samples, one stream p50 ms": percentile(list(theirs), 0.5),
            "DuckDB on the raw samples, all streams p50 ms": percentile(list(all_theirs), 0.5),
        },
        ratio=min(small, large),
        aims=[
            Aim("one stream p50", percentile(list(ours), 0.5), 8, "ms", at_most=True),
            Aim("all streams p50", percentile(list(all_ours), 0.5), 180, "ms", at_most=True),
            Aim("times the reference's speed, one stream", small, 1),
            Aim("times the reference's speed, all streams", large, 1),
        ],
        notes=["every answer compared with the reference's, which DuckDB renders to the same JSON"],
    )


class _Asked:
    """The same question here and by hand; `rows` are the most that an answer had."""

    def __init__(self, data: Kept, caller: Caller, raw: Raw) -> None:
        self._key = data.keys["scaleengine"]
        self._caller, self._raw = caller, raw
        self._start = midnight(data.end_day)
        self.rows = 0

    def both(self, apps: list[str], url: str | None) -> tuple[float, float]:
        """Seconds here and by hand. Raises RuntimeError where the answers differ."""
        answer = self._answer({"app": apps, "graph": 2, "starttime": f"{self._start:%Y-%m-%d %H:%M:%S}"}, url)
        end = self._start.replace(hour=23, minute=59, second=59)
        parameters = {"apps": apps, "start": self._start, "end": end} | ({"url": url} if url else {})
        theirs, found = self._raw.ask(_ONE if url else _ALL, self._raw.files(self._start, end), parameters)
        rows = json.loads(found.column("data")[0].as_py())
        _check(answer.content["data"], rows)
        self.rows = max(self.rows, len(rows))
        return answer.seconds, theirs

    def _answer(self, wanted: dict[str, Any], url: str | None) -> Answer:
        request = {"command": "viewer.log", "cdn": self._key["cdn"], "api_key": self._key["api_key"]}
        request |= {"timestamp": int(time.time())} | wanted | ({"url": url} if url else {})
        signed = hmac.digest(str(self._key["secret_key"]).encode(), json.dumps(request).encode(), hashlib.sha256)
        body = urlencode({"json": json.dumps(request | {"signature": base64.b64encode(signed).decode()})}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._caller.ask("POST", "/stable/", headers, body)
        if answer.status != 200 or answer.content["status"] != "success":
            raise RuntimeError(f"{wanted} was answered {answer.status}: {answer.text[:500]!r}")
        return answer


def _check(told: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    if told != found:
        raise RuntimeError(f"{len(told)} rows told, {len(found)} found by hand, or their values differ")
