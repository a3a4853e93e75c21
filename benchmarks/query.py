"""The native query: thirty days of one ad group from a rollup, and one day by three dimensions from rows."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from airtally.demo.ad_groups import ad_groups
from benchmarks.dense import DAYS, GROUPS, dense_ads
from benchmarks.harness import Aim, Place, Result
from benchmarks.kept import Kept, kept
from benchmarks.native import BY_HAND, NativeAsked, asked, utc
from benchmarks.raw import Raw, midnight, percentile
from benchmarks.server import Caller, Server

PATH = "/api/v1/query"
_NO_CACHE = {"AIRTALLY_ANSWER_CACHE": "0"}


def query_rollup(place: Place) -> Result:
    data = kept(place, dense_ads(place))
    wanted = [_of_group(data, group) for group in _some_groups(place.size(300, 10))]
    with Server(data.home.with_settings(**_NO_CACHE)) as server, Caller(server) as caller:
        for body in wanted[:3]:
            asked(caller, data.home, PATH, body)
        times = [asked(caller, data.home, PATH, body)[0] for body in wanted]
    return Result(
        name="query_rollup",
        title="Native query, 30 days of one ad group by day and country, over HTTP, one call at a time",
        parameters={"rows": data.rows, "ad_groups": GROUPS, "questions": len(wanted)},
        figures={f"p{round(share * 100)} ms": percentile(times, share) for share in (0.5, 0.99)} | data.loading,
        aims=[Aim("p50", percentile(times, 0.5), 20, "ms", at_most=True)],
        notes=["random ad groups; no answer cache; the answers are Arrow streams"],
    )


def query_rows(place: Place) -> Result:
    data = kept(place, dense_ads(place))
    home = data.home.with_settings(**_NO_CACHE)
    with Server(home) as server, Caller(server) as caller, Raw(data.home, "ad_events") as raw:
        by_day = NativeAsked(data, server, caller, raw)
        body = {
            "stream": "ad_events",
            "metrics": ["count as events", "sum(count) as counted"],
            "dimensions": ["ad_group_id", "country", "kind"],
            "start": utc(by_day.start),
            "end": utc(by_day.end),
        }
        compared = by_day.in_turn(PATH, body, place.size(40, 3))
    return Result(
        name="query_rows",
        title="Native query on rows, one day by three dimensions, over HTTP, in turn with DuckDB",
        parameters={"rows": data.rows, "rows_of_the_day": data.rows // DAYS, "rounds": len(compared.ours.seconds)},
        figures=compared.ours.figures("answer"),
        reference={f"DuckDB on the same files, {what}": ms for what, ms in compared.theirs.figures("answer").items()},
        ratio=compared.ratio,
        aims=[compared.aim(1.3)],
        notes=[
            "every answer compared with the reference's; the answers are Arrow streams",
            "the reference is given the day's file and no HTTP, which favours it: " + " ".join(BY_HAND.split()),
        ],
    )


def _some_groups(count: int) -> list[str]:
    ids = [group.id for group in ad_groups(1, GROUPS)]
    return random.Random(count).choices(ids, k=count)


def _of_group(data: Kept, ad_group: str) -> dict[str, Any]:
    end = midnight(data.end_day) + timedelta(days=1)
    return {
        "stream": "ad_events",
        "metrics": ["count", "sum(spend) as spend"],
        "dimensions": ["country"],
        "filter": {"ad_group_id": ad_group},
        "start": utc(end - timedelta(days=DAYS)),
        "end": utc(end),
        "grain": "day",
        "timezone": "UTC",
    }
