"""A caller's SQL: one day by three dimensions, the process warm, in turn with DuckDB on the same files."""

from __future__ import annotations

from benchmarks.dense import DAYS, dense_ads
from benchmarks.harness import Place, Result
from benchmarks.kept import kept
from benchmarks.native import BY_HAND, NativeAsked
from benchmarks.raw import Raw
from benchmarks.server import Caller, Server

PATH = "/api/v1/sql"


def sql_rows(place: Place) -> Result:
    data = kept(place, dense_ads(place))
    with Server(data.home) as server, Caller(server) as caller, Raw(data.home, "ad_events") as raw:
        by_day = NativeAsked(data, server, caller, raw)
        text = BY_HAND.format(rows="ad_events")
        text = text.replace("$start", f"'{by_day.start:%Y-%m-%d}'").replace("$end", f"'{by_day.end:%Y-%m-%d}'")
        compared = by_day.in_turn(PATH, {"sql": text}, place.size(40, 3))
        tiny = by_day.alone(PATH, {"sql": "SELECT 1 AS a"}, place.size(20, 3))
    return Result(
        name="sql_rows",
        title="SQL on rows, one day by three dimensions, over HTTP, in turn with DuckDB",
        parameters={"rows": data.rows, "rows_of_the_day": data.rows // DAYS, "rounds": len(compared.ours.seconds)},
        figures=compared.ours.figures("answer") | tiny.figures("SELECT 1"),
        reference={f"DuckDB on the same files, {what}": ms for what, ms in compared.theirs.figures("answer").items()},
        ratio=compared.ratio,
        aims=[compared.aim(1.5)],
        notes=[
            "every answer compared with the reference's; the answers are Arrow streams",
            "CPU time has the making ready of the next statement's process in it, which is not waited for",
            "the reference is given the day's file and no HTTP, which favours it",
        ],
    )
