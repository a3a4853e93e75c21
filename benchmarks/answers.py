"""`Queries.answer` without HTTP: the processor time of a question, from memory maps and by the engine.

The program of commit 7565719 cannot open a home of today. What it did for these questions is what the engine does where
maps are off, from the same segments, so that is the reference. `python -m benchmarks.answers` is the process that asks.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median

from airtally.kit.time import DAY_US, HOUR_US, from_datetime
from airtally.query.buckets import Step
from airtally.query.question import Dimension, Question
from airtally.query.service import Queries
from airtally.runtime import open_services
from airtally.services import Role
from airtally.settings import Settings
from airtally.sql.filters import Equals
from airtally.streams import AD_EVENTS
from airtally.vendors.tapjoy.query import METRICS
from benchmarks.harness import Aim, Place, Result
from benchmarks.insights import DAYS, questions
from benchmarks.kept import kept
from benchmarks.server import ROOT, SLUG, Home
from benchmarks.sources import ads, groups_of

KINDS = {"hourly by country": (HOUR_US, (Dimension("country"),)), "daily": (DAY_US, ())}
_ROUNDS = 3
_WARM_UP = 5

Groups = list[tuple[str, int]]


def queries_answer(place: Place) -> Result:
    data = kept(place, ads(place))
    found = questions(data, groups_of(place), place.size(200, 12), place.size(335, 60))
    groups = [(each.ad_group, from_datetime(each.start)) for each in found]
    rounds: dict[str, list[dict[str, float]]] = {"0": [], "": []}
    for _ in range(_ROUNDS):
        for maps, times in rounds.items():
            times.append(_asked_in_a_process(data.home.with_settings(AIRTALLY_MAPS=maps), groups))
    engine, mapped = ({what: median(each[what] for each in times) for what in times[0]} for times in rounds.values())
    shares = {kind: mapped[f"{kind}, CPU ms"] / engine[f"{kind}, CPU ms"] for kind in KINDS}
    return Result(
        name="queries_answer",
        title="`Queries.answer`, 30 days of one ad group: a question's processor time, without HTTP",
        parameters={"rows": data.rows, "ad_groups": groups_of(place), "questions": len(groups), "rounds": _ROUNDS},
        figures=mapped,
        reference={f"by the engine, {what}": time for what, time in engine.items()},
        ratio=1 / max(shares.values()),
        aims=[Aim(f"CPU of the engine's, {kind}", share, 1 / 15, at_most=True) for kind, share in shares.items()],
        notes=[
            "the reference is this program with AIRTALLY_MAPS=0: that of commit 7565719 cannot open a home of today"
        ],
    )


def _asked_in_a_process(home: Home, groups: Groups) -> dict[str, float]:
    """Raises CalledProcessError."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.answers"],
        cwd=ROOT,
        env=home.environment,
        input=json.dumps(groups),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return times


def _times(queries: Queries, groups: Groups) -> dict[str, float]:
    """Milliseconds of a question, of each kind."""
    found = {}
    for kind, (length_us, dimensions) in KINDS.items():
        asked = [_question(group, start_us, length_us, dimensions) for group, start_us in groups]
        for each in asked[:_WARM_UP]:
            queries.answer(each)
        cpu, wall = time.process_time(), time.perf_counter()
        for each in asked:
            queries.answer(each)
        found[f"{kind}, CPU ms"] = 1000 * (time.process_time() - cpu) / len(asked)
        found[f"{kind}, ms"] = 1000 * (time.perf_counter() - wall) / len(asked)
    return found


def _question(group: str, start_us: int, length_us: int, dimensions: tuple[Dimension, ...]) -> Question:
    return Question(
        AD_EVENTS,
        SLUG,
        METRICS,
        dimensions,
        Equals("ad_group_id", group),
        start_us,
        start_us + DAYS * DAY_US,
        bucket=Step(length_us),
    )


def _main() -> None:
    services = open_services(Settings.from_env(), role=Role.NONE)
    groups = json.load(sys.stdin)
    try:
        for kept_open in (False, True):  # first without a look at the clock: files are mapped and opened
            times = _times(services.queries, groups)
            while not kept_open and services.storage.maps.step() == 0.0:
                pass
        print(json.dumps(times))
    finally:
        services.close()


if __name__ == "__main__":
    _main()
