"""Every graph equals a naive count, whatever was sent again, wherever the rows lie by then and the machine stands."""

from __future__ import annotations

import fnmatch
import itertools
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.engine.child_process import InProcess
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.streams import VIEWER_SAMPLES
from fixtures.native import Native
from fixtures.opened import Opened
from fixtures.viewers import NOW, SECRET, Client, import_key, line, request, signed
from fixtures.zones import ZONES, during

KEY = "NAIVEKEYNAIVEKEYNAIVEKEYNAIVEKEY"
CDN = 4400
LENGTHS = {1: (6 * 3600, 60), 2: (86_400, 60), 3: (7 * 86_400, 3600), 4: (30 * 86_400, 86_400)}
NAMES = ("mystream_720p", "mystream_360p", "a/b.mp4", "é", "Z")
_numbers = itertools.count()

#: Minutes before now, thick in the last hour, then ever thinner.
AGES = st.one_of(st.integers(0, 4), st.integers(0, 400), st.integers(0, 1500), st.integers(0, 14 * 1440))
ROWS = st.tuples(
    st.sampled_from(["one", "two"]),
    st.sampled_from(NAMES),
    st.sampled_from(["e1", "e2", "e3"]),
    AGES,
    st.integers(0, 50),
)
BATCHES = st.lists(
    st.tuples(st.lists(ROWS, min_size=1, max_size=12), st.sampled_from(["stay", "flush", "compact"])),
    min_size=1,
    max_size=5,
)
ASKED = st.fixed_dictionaries(
    {
        "graph": st.sampled_from([1, 2, 3, 4]),
        "apps": st.sampled_from([["one"], ["two"], ["two", "one"]]),
        "url": st.sampled_from([None, "*", "mystream_*", "Z|*.mp4", ["m*s*_*p", "é"], "nothing", ["a/*", "a/b.mp4"]]),
        "server": st.sampled_from([None, "e1", ["e2", "e3"], ["e1", "e9"]]),
        "age": st.one_of(st.none(), st.integers(0, 15 * 86_400)),
    }
)

Kept = dict[tuple[str, str, str, int], int]


def naive(kept: Kept, graph: int, apps: list[str], url: Any, server: Any, age: int | None) -> list[str]:
    """The rows of a reply, from the definition alone; `age` of the start in seconds."""
    length, size = LENGTHS[graph]
    start = NOW // size * size - length + size if age is None else NOW - age
    first = start if size == 60 else start // size * size
    servers = [server] if isinstance(server, str) else server
    pieces = (
        None
        if url is None
        else [piece for each in ([url] if isinstance(url, str) else url) for piece in each.split("|")]
    )
    groups: dict[tuple[int, str, str], list[int]] = defaultdict(list)
    for (app, name, on, minute), viewers in kept.items():
        bucket = minute // size * size
        wanted = app in apps and (servers is None or on in servers)
        matched = pieces is None or any(fnmatch.fnmatchcase(name, piece) for piece in pieces)
        if wanted and matched and first <= bucket < start + length and bucket <= NOW:
            groups[bucket, app, name].append(viewers)
    ordered = sorted(groups.items(), key=lambda each: (each[0][0], each[0][1].encode(), each[0][2].encode()))
    return [_line(name, bucket, counts) for (bucket, _, name), counts in ordered]


def _line(name: str, bucket: int, counts: list[int]) -> str:
    average = int(sum(counts) / len(counts) + 0.5)
    moment = datetime.fromtimestamp(bucket, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{name} {moment} {average}/{min(counts)}/{max(counts)}/{sum(counts)}"


def send(client: Client, native: Native, prefix: str, batches: list[Any]) -> Kept:
    """Each batch, and what is done before the next; the counts that are left are told."""
    kept: Kept = {}
    for rows, then in batches:
        body = []
        for app, name, on, age, viewers in rows:
            minute = NOW - age * 60
            kept[app, name, on, minute] = viewers
            moment = datetime.fromtimestamp(minute, UTC).isoformat()
            body.append({"app": prefix + app, "video_url": name, "server": on, "time": moment, "viewers": viewers})
        assert native.send("viewer_samples", body).json()["accepted"] == len(rows)
        if then != "stay":
            client.server.services.storage.event_store.flush()
        if then == "compact":
            Compactor(client.server.services.storage.lake.table(VIEWER_SAMPLES), InProcess()).run(EAGER)
    return kept


def test_every_graph_equals_a_naive_count(client: Client, opened: Opened) -> None:
    native = opened(Native(client.server, "naive"))
    import_key(client.server, native, CDN, KEY, SECRET)

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(BATCHES, st.lists(ASKED, min_size=1, max_size=4), st.sampled_from(ZONES))
    def check(batches: list[Any], questions: list[dict[str, Any]], machine: str) -> None:
        with during(machine):
            answers_are_counts(batches, questions)

    def answers_are_counts(batches: list[Any], questions: list[dict[str, Any]]) -> None:
        prefix = f"p{next(_numbers)}-"
        kept = send(client, native, prefix, batches)
        for asked in questions:
            more = {"app": [prefix + app for app in asked["apps"]], "url": asked["url"], "server": asked["server"]}
            if asked["age"] is not None:
                more["starttime"] = NOW - asked["age"]
            reply = client.reply(signed(request(api_key=KEY, cdn=CDN, graph=asked["graph"], **more)))
            assert [line(row) for row in reply["data"]] == naive(kept, **asked)

    check()
