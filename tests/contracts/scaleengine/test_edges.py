"""Counts of viewers at the edges of their type, against a naive count in Python's own numbers."""

from __future__ import annotations

import itertools
from typing import Any

import phpserialize
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airtally.background import rebuilder_of
from airtally.rollups.rebuild import EAGER
from airtally.streams import VIEWER_SAMPLES
from fixtures.native import Native
from fixtures.viewers import SECRET, Client, accepted, import_key, request, signed

KEY, CDN = "EDGESKEYEDGESKEYEDGESKEYEDGESKEY", 4411
MOST = (1 << 63) - 1
_numbers = itertools.count()

COUNTS = st.lists(st.sampled_from([0, 1, 2, 5, (1 << 53) + 1, 1 << 62, MOST - 1, MOST]), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def native(server):
    made = Native(server, "edges")
    import_key(server, made, CDN, KEY, SECRET)
    yield made
    made.http.close()


def moved(client: Client, where: str) -> None:
    services = client.server.services
    if where != "buffered":
        services.storage.event_store.flush()
    if where == "rolled up":
        for rollup in VIEWER_SAMPLES.rollups:
            rebuilder_of(services).rebuild(services.storage.lake.table(VIEWER_SAMPLES), rollup, EAGER)


def send(native: Native, counts: list[int]) -> str:
    """One server's count of a minute each, all of one hour."""
    app = f"edge-{next(_numbers)}"
    base = {"app": app, "video_url": "v"}
    rows = [
        base | {"server": f"e{place}", "time": f"2026-11-22T09:{place % 3:02}:00Z", "viewers": count}
        for place, count in enumerate(counts)
    ]
    accepted(native, "viewer_samples", rows)
    return app


def figures(counts: list[int]) -> dict[str, int]:
    average = (2 * sum(counts) + len(counts)) // (2 * len(counts))
    return {"avg": average, "min": min(counts), "max": max(counts), "sum": sum(counts)}


def shown(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[f"viewer_count_{name}"] for name in ("avg", "min", "max", "sum")}


def check(client: Client, app: str, counts: list[int]) -> None:
    for graph, groups in ((1, [counts[place::3] for place in range(3)]), (3, [counts])):
        fields = request(api_key=KEY, cdn=CDN, app=app, graph=graph)
        right = [figures(group) for group in groups if group]
        assert [shown(row) for row in client.reply(signed(fields))["data"]] == right
        serialized = phpserialize.loads(client.post(signed(fields), field="php").content, decode_strings=True)
        assert [shown(row) for row in serialized["data"].values()] == right


@pytest.mark.parametrize("where", ["buffered", "flushed", "rolled up"])
def test_two_counts_that_leave_64_bits(client: Client, native: Native, where: str) -> None:
    app = send(native, [MOST, 1, 2, 5])
    moved(client, where)
    check(client, app, [MOST, 1, 2, 5])
    (hour,) = client.reply(signed(request(api_key=KEY, cdn=CDN, app=send(native, [MOST, 5]), graph=3)))["data"]
    assert shown(hour) == {"avg": 4611686018427387906, "min": 5, "max": MOST, "sum": 9223372036854775812}


def test_every_figure_is_a_plain_count(client: Client, native: Native) -> None:
    @settings(max_examples=12, deadline=None)
    @given(COUNTS, st.sampled_from(["buffered", "flushed", "rolled up"]))
    def counted(counts: list[int], where: str) -> None:
        app = send(native, counts)
        moved(client, where)
        check(client, app, counts)

    counted()
