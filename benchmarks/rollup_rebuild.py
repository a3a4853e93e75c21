"""A million late ad events: until rollups are current again, against making all of them anew."""

from __future__ import annotations

import json
import shutil

from airtally.demo.tables import write
from benchmarks.harness import Aim, Place, Result
from benchmarks.insights import BY_HAND_ONCE, asked, bearer, check, questions
from benchmarks.kept import Kept, kept, rollups
from benchmarks.raw import Raw
from benchmarks.server import SLUG, Caller, Server
from benchmarks.sources import ads, groups_of, late_ads


def rollup_rebuild(place: Place) -> Result:
    data = kept(place, ads(place))
    home = data.home.copied(place.work / "homes" / "rollup_rebuild")
    changed = Kept(home, data.end_day, data.rows, data.keys)
    late = late_ads(place, data.end_day)
    path = place.work / "late.parquet"
    write(path, late.tables())
    [loaded] = json.loads(home.run("ingest", "ad_events", str(path), "--account", SLUG, "--json"))
    if loaded["accepted"] != late.rows:
        raise RuntimeError(f"{loaded['accepted']} of {late.rows} late rows were accepted")
    some = rollups(home, "ad_events")
    _check(place, changed)
    whole = rollups(home, "ad_events", rebuild=True)
    _check(place, changed)
    shutil.rmtree(home.folder)
    return Result(
        name="rollup_rebuild",
        title=f"{late.rows:,} late ad events spread over {late.days} days: seconds until rollups are current again",
        parameters={"rows": data.rows, "late_rows": late.rows, "days": late.days},
        figures={"seconds": some},
        reference={"all rollups made anew, s": whole},
        ratio=whole / some,
        aims=[Aim("times faster than all anew", whole / some, 5)],
        notes=["both are `airtally lake rollups`, its start included; answers compared with DuckDB's after each"],
    )


def _check(place: Place, data: Kept) -> None:
    """Questions about the days that changed, against the raw rows."""
    with Server(data.home) as server, Caller(server) as caller, Raw(data.home, "ad_events") as raw:
        headers = bearer(caller, data)
        for question in questions(data, groups_of(place), 8, 10):
            check(question, asked(caller, question, headers).content, question.by_hand(raw, BY_HAND_ONCE)[1])
