"""Tapjoy's insights over HTTP: one question against DuckDB, at a tenth of the rows, and many kinds at once."""

from __future__ import annotations

import random
import re
import time
from datetime import timedelta

from airtally.demo.ad_groups import ad_groups
from airtally.demo.chance import falling
from benchmarks.harness import Aim, Place, Result
from benchmarks.insights import DAYS, Question, asked, bearer, check, questions
from benchmarks.kept import Kept, kept
from benchmarks.machine import cpu_seconds
from benchmarks.raw import Raw, midnight, percentile
from benchmarks.server import Bodies, Caller, Home, Server
from benchmarks.sources import ads, groups_of

CONNECTIONS = 32
CACHE = "AIRTALLY_ANSWER_CACHE"
CACHE_BYTES = str(256 << 20)
_WARM_UP = 3
_PRESETS = ("today", "yesterday", "last_week")


def tapjoy_insights(place: Place) -> Result:
    data = kept(place, ads(place))
    wanted = _questions(place, data)
    with Server(_uncached(data)) as server, Caller(server) as caller, Raw(data.home, "ad_events") as raw:
        ours, theirs = _timed(wanted, data, caller, raw)
        alone = _cpu_ms(wanted, data, server, caller)
    ratio = percentile(theirs, 0.5) / percentile(ours, 0.5)
    return Result(
        name="tapjoy_insights",
        title="Tapjoy insights: 30 days of one ad group hourly by country, over HTTP, one call at a time",
        parameters={"rows": data.rows, "ad_groups": groups_of(place), "questions": len(wanted)},
        figures=_percentiles(ours) | alone | data.loading,
        reference={f"DuckDB on the raw Parquet files, {what}": ms for what, ms in _percentiles(theirs).items()},
        ratio=ratio,
        aims=[
            Aim("p50", percentile(ours, 0.5), 6, "ms", at_most=True),
            Aim("p99", percentile(ours, 0.99), 60, "ms", at_most=True),
            Aim("times the reference's speed", ratio, 10),
        ],
        notes=[
            "random ad groups and random days of the last year; no answer cache; every tenth answer compared with the reference's",
            "the reference is given the list of the 30 days' files and renders no JSON, which favours it",
        ],
    )


def tapjoy_growth(place: Place) -> Result:
    small, large = kept(place, ads(place, tenth=True)), kept(place, ads(place))
    wanted = _questions(place, large)
    times = {}
    for data in (small, large):
        own = [Question(each.ad_group, each.start + (data.end_day - large.end_day)) for each in wanted]
        with Server(_uncached(data)) as server, Caller(server) as caller, Raw(data.home, "ad_events") as raw:
            times[data.rows], _ = _timed(own, data, caller, raw)
    slower = percentile(times[large.rows], 0.5) / percentile(times[small.rows], 0.5)
    return Result(
        name="tapjoy_growth",
        title="Tapjoy insights: the same questions against ten times as many raw rows",
        parameters={"rows": large.rows, "fewer_rows": small.rows, "questions": len(wanted)},
        figures={f"of many rows, {what}": ms for what, ms in _percentiles(times[large.rows]).items()},
        reference={f"of a tenth of the rows, {what}": ms for what, ms in _percentiles(times[small.rows]).items()},
        ratio=slower,
        aims=[Aim("times slower", slower, 1.3, at_most=True)],
    )


def tapjoy_mixed(place: Place) -> Result:
    data = kept(place, ads(place))
    seconds = place.size(20, 2)
    speeds, hits, p99 = {}, 0.0, {}
    for cache in ("0", CACHE_BYTES):
        home = data.home.with_settings(**{CACHE: cache})
        with Server(home) as server, Caller(server) as caller:
            requests = mixed_requests(place, data, bearer(caller, data))
            load = server.ask(requests, connections=CONNECTIONS, seconds=seconds)
            if set(load.statuses) != {"200"}:
                raise RuntimeError(f"answers other than 200: {load.statuses}")
            speeds[cache], p99[cache] = load.requests / load.seconds, load.p99 * 1000
            with Caller(server) as again, Raw(data.home, "ad_events") as raw:  # the first was idle for too long
                hits = _hit_share(again)
                _timed(_questions(place, data)[:5], data, again, raw)
    off, on = speeds["0"], speeds[CACHE_BYTES]
    return Result(
        name="tapjoy_mixed",
        title=f"Tapjoy insights of many kinds, {CONNECTIONS} connections, client and server on the same cores",
        parameters={"rows": data.rows, "seconds": seconds, "connections": CONNECTIONS},
        figures={
            "requests/s without answer cache": off,
            "p99 ms without": p99["0"],
            "requests/s with answer cache": on,
            "p99 ms with": p99[CACHE_BYTES],
            "answers from the cache, %": 100 * hits,
        },
        aims=[
            Aim("requests/s without answer cache", off, 150),
            Aim("requests/s with it", on, 600),
        ],
        notes=[
            "half the calls ask 30 days by the hour, half of these by country; the others presets and 30 days by the day",
            "ad groups as often as their rank says (1/n); 30 days end with the data, as dashboards ask",
        ],
    )


def _uncached(data: Kept) -> Home:
    return data.home.with_settings(**{CACHE: "0"})


def _questions(place: Place, data: Kept) -> list[Question]:
    return questions(data, groups_of(place), place.size(300, 12), place.size(335, 60))


def _timed(questions: list[Question], data: Kept, caller: Caller, raw: Raw) -> tuple[list[float], list[float]]:
    """Seconds of every question here, and of every tenth by hand, whose answer must be the same."""
    headers = bearer(caller, data)
    ours, theirs = [], []
    for number, question in enumerate([*questions[:_WARM_UP], *questions], -_WARM_UP):
        answer = asked(caller, question, headers)
        by_hand = None
        if number < 0 or number % 10 == 0:
            by_hand, found = question.by_hand(raw)
            check(question, answer.content, found)
        if number >= 0:
            ours.append(answer.seconds)
            theirs += [] if by_hand is None else [by_hand]
    return ours, theirs


def _cpu_ms(questions: list[Question], data: Kept, server: Server, caller: Caller) -> dict[str, float]:
    """What a call takes of the server's processor time and of the client's."""
    headers = bearer(caller, data)
    cpu, client = cpu_seconds(server.pid), time.process_time()
    for question in questions:
        asked(caller, question, headers)
    client, cpu = time.process_time() - client, cpu_seconds(server.pid) - cpu
    return {
        f"{whose}'s CPU, ms a call": 1000 * each / len(questions)
        for whose, each in (("server", cpu), ("client", client))
    }


def _percentiles(times: list[float]) -> dict[str, float]:
    return {f"p{round(share * 100)} ms": percentile(times, share) for share in (0.5, 0.99)}


def mixed_requests(place: Place, data: Kept, headers: dict[str, str]) -> Bodies:
    """More whole requests than can be asked, in a file."""
    chance = random.Random(data.rows)
    ids = [group.id for group in ad_groups(1, groups_of(place))]
    weights = falling(len(ids)).tolist()
    end = midnight(data.end_day) + timedelta(days=1)
    span = f"start_time={end - timedelta(days=DAYS):%Y-%m-%dT%H:%M:%SZ}&end_time={end:%Y-%m-%dT%H:%M:%SZ}"
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    path = data.home.folder / "mixed.requests"
    index, offset = [], 0
    with path.open("wb") as file:
        for ad_group in chance.choices(ids, weights, k=place.size(60_000, 4_000)):
            query = _query(chance, span)
            request = f"GET /v1/ad_groups/{ad_group}/insights?{query} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"
            index.append((offset, len(request)))
            offset += file.write(request.encode())
    return Bodies(path, index, len(index), gzipped=False)


def _query(chance: random.Random, span: str) -> str:
    when = f"{span}&time_increment=hourly" if chance.random() < 0.5 else None
    if when is None:
        step = chance.choice(("hourly", "daily"))
        when = chance.choice(
            [f"time_preset={each}&time_increment={step}" for each in _PRESETS] + [f"{span}&time_increment=daily"]
        )
    return when + chance.choice(("", "&breakdowns=country_code"))


def _hit_share(caller: Caller) -> float:
    """Of the answers, those that the server says came from its cache; 0 where it does not count them."""
    status, text = caller.call("GET", "/metrics")
    told = text.decode() if status == 200 else ""
    hits, misses = (_counter(told, f"airtally_answer_cache_{each}_total") for each in ("hits", "misses"))
    return hits / (hits + misses) if hits + misses else 0.0


def _counter(text: str, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))
