"""Rows sent: in any form, in batches, each counted once, and each refused row told by its place."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from airtally import AsyncClient, Client
from airtally.client import BatchSize, InvalidRequest, MissingResource, NotAuthenticated, NotPermitted, RowNotEncodable
from fixtures.sent import plays

SMALL = BatchSize(rows=300)


@dataclasses.dataclass
class Play:
    player_id: int
    media_id: int
    played_at: datetime


class PlayStruct(msgspec.Struct):
    player_id: int
    media_id: int
    played_at: str


def table():
    return pa.Table.from_pylist(plays(1000))


FORMS = {
    "a list": lambda: plays(1000),
    "a generator": lambda: iter(plays(1000)),
    "dataclasses": lambda: [Play(1, each, datetime(2026, 10, 1, 8)) for each in range(1000)],
    "structs": lambda: [PlayStruct(1, each, "2026-10-01T08:00:00") for each in range(1000)],
    "numbers of numpy": lambda: [row | {"player_id": np.int64(row["player_id"])} for row in plays(1000)],
    "an Arrow table": table,
    "record batches": lambda: pa.RecordBatchReader.from_batches(table().schema, table().to_batches(max_chunksize=7)),
    "one record batch": lambda: table().to_batches()[0],
    "pandas": lambda: table().to_pandas(),
    "pandas with an index": lambda: table().to_pandas().set_index(np.arange(1000) * 3),
    "Polars": lambda: pl.from_arrow(table()),
    "DuckDB": lambda: duckdb.from_arrow(table()),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_rows_in_every_form_are_counted_once(caller, native, name, compression):
    seen = []
    result = caller.send(
        "playlogs", FORMS[name](), size=SMALL, compression=compression, on_batch=lambda so_far: seen.append(so_far.rows)
    )
    assert (result.accepted, result.rejected, result.batches) == (1000, 0, 4)
    assert seen == [300, 600, 900, 1000]
    found = native.ask(stream="playlogs", metrics=["count", "sum(media_id)", "distinct(media_id)"]).json()["rows"]
    assert found == [{"count": 1000, "sum_media_id": 499_500, "distinct_media_id": 1000}]


def test_rows_of_an_asynchronous_source(client_server, native):
    async def source():
        for row in plays(2500):
            await asyncio.sleep(0)
            yield row

    async def send():
        async with AsyncClient(client_server.url, native.token) as client:
            return await client.send("playlogs", source(), size=SMALL)

    result = asyncio.run(send())
    assert (result.accepted, result.batches) == (2500, 9)
    assert native.count() == 2500


def test_an_asynchronous_source_ends_with_its_call(client_server, native):
    ended = []

    async def source():
        try:
            while True:
                yield {"player_id": 1, "media_id": object()}
        finally:
            ended.append(True)

    async def send():
        async with AsyncClient(client_server.url, native.token) as client:
            rows = source()
            with pytest.raises(RowNotEncodable):
                await client.send("playlogs", rows)
            await rows.aclose()

    asyncio.run(send())
    assert ended == [True]


def test_nothing_to_send(caller, native):
    for nothing in ([], iter(()), table().slice(0, 0)):
        result = caller.send("playlogs", nothing)
        assert (result.accepted, result.rejected, result.batches) == (0, 0, 0)
    assert native.count() == 0


@pytest.mark.parametrize("as_table", [False, True])
def test_each_refused_row_is_told_by_its_place(caller, native, as_table):
    rows = plays(1000)
    for place in (0, 299, 300, 777, 999):
        rows[place] = rows[place] | {"ip": "none"}
    given = pa.Table.from_pylist([{"ip": None} | row for row in rows]) if as_table else rows
    result = caller.send("playlogs", given, size=SMALL)
    assert [(each.index, each.field) for each in result.rejections] == [(at, "ip") for at in (0, 299, 300, 777, 999)]
    assert {each.error for each in result.rejections} == {"expected an IPv4 address"}
    assert all(each.quarantined for each in result.rejections)
    assert (result.accepted, result.rejected, result.rows, result.quarantined) == (995, 5, 1000, True)
    assert native.count() == 995


def test_what_is_no_row_is_refused_as_one(caller, native):
    result = caller.send("playlogs", [5, plays(1)[0], None, [plays(1)[0]], "x"])
    assert (result.accepted, [each.index for each in result.rejections]) == (1, [0, 2, 3, 4])


def test_values_that_json_has_no_form_for(caller, native):
    rows = plays(700)
    rows[450]["media_id"] = object()
    with pytest.raises(RowNotEncodable, match="Row 450 cannot be written as JSON") as caught:
        caller.send("playlogs", rows, size=SMALL)
    assert caught.value.index == 450
    assert caught.value.sent.rows == native.count() == 300
    with pytest.raises(RowNotEncodable):
        caller.send("playlogs", plays(1, id="\ud800"))


def test_what_values_become(caller, native):
    click = {"ad_group_id": native.account.slug, "id": "e", "kind": "paid_click", "spend": Decimal("1.25")}
    assert caller.send("ad_events", [click | {"time": datetime(2026, 10, 1, 8, tzinfo=UTC)}]).rejections == []
    assert native.count("ad_events", metrics=["sum(spend) as count"]) == 1_250_000
    result = caller.send("playlogs", plays(1, duration_seconds=float("nan")))
    assert result.accepted == 1
    assert native.count(metrics=["count"], filter={"column": "duration_seconds", "op": "is_null"}) == 1


def test_the_same_key_again_doubles_nothing(caller, native):
    rows = plays(1000)
    first = caller.send("playlogs", rows, size=SMALL, key="night-17")
    again = caller.send("playlogs", iter(rows), size=SMALL, key="night-17")
    assert (again, native.count()) == (first, 1000)
    rows[600]["media_id"] = 5
    with pytest.raises(InvalidRequest) as caught:
        caller.send("playlogs", rows, size=SMALL, key="night-17")
    assert (caught.value.status, caught.value.sent.rows, native.count()) == (422, 600, 1000)
    with pytest.raises(ValueError, match="printable"):
        caller.send("playlogs", rows, key="a\nb")


def test_an_interrupted_call_goes_on_with_its_key(caller, native):
    class Interrupted(Exception):
        pass

    def source():
        yield from plays(750)
        raise Interrupted

    with pytest.raises(Interrupted) as caught:
        caller.send("playlogs", source(), size=SMALL, key="k")
    assert "600 rows were acknowledged before" in caught.value.__notes__[0]
    assert native.count() == 600
    assert caller.send("playlogs", plays(1000), size=SMALL, key="k").accepted == 1000
    assert native.count() == 1000


def test_refusals_of_the_whole_call(caller, native, client_server, join):
    with pytest.raises(MissingResource) as caught:
        caller.send("../keys", plays(1))
    assert (caught.value.status, caught.value.code) == (404, "not_found")
    assert "The streams are" in caught.value.hint
    assert caught.value.sent.rows == 0
    with pytest.raises(NotAuthenticated):
        caller.with_token("wrong").send("playlogs", plays(1))
    reader = join(client_server, scopes=("read",))
    with pytest.raises(NotPermitted, match="does not include `write`"):
        caller.with_token(reader.token).send("playlogs", plays(1))


@pytest.mark.parametrize("rows", [{"player_id": 1}, "text", b"bytes", 5])
def test_what_are_no_rows(caller, rows):
    with pytest.raises(TypeError):
        caller.send("playlogs", rows)


def test_wrong_options_are_told_before_anything_is_sent(caller, native):
    for wrong in ({"compression": "br"}, {"key": ""}, {"key": "x" * 231}):
        with pytest.raises(ValueError, match=r"compression|key"):
            caller.send("playlogs", plays(1), **wrong)
    with pytest.raises(TypeError, match="no option batch"):
        caller.send("playlogs", plays(1), batch=5)
    assert native.count() == 0


def test_many_threads_share_a_client(client_server, native):
    with Client(client_server.url, native.token) as client:
        threads = [
            threading.Thread(
                target=client.send, args=("playlogs", plays(500, first=500 * number)), kwargs={"size": SMALL}
            )
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.query("playlogs", metrics="distinct(media_id) as n").rows() == [{"n": 4000}]
    assert native.count() == 4000


def test_many_tasks_share_a_client(client_server, native):
    async def send():
        async with AsyncClient(client_server.url, native.token) as client:
            await asyncio.gather(*(client.send("playlogs", plays(500), size=SMALL) for _ in range(8)))

    asyncio.run(send())
    assert native.count() == 4000


def test_a_cancelled_call_ends_and_its_client_goes_on(client_server, native):
    async def endless():
        while True:
            for row in plays(100):
                yield row
            await asyncio.sleep(0)

    async def run():
        async with AsyncClient(client_server.url, native.token) as client:
            begun = asyncio.Event()
            task = asyncio.create_task(client.send("playlogs", endless(), size=SMALL, on_batch=lambda _: begun.set()))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await client.send("playlogs", plays(10))
            return await client.query("playlogs").rows()

    (row,) = asyncio.run(run())
    assert row["count"] % 300 == 10, "whole batches, and the ten"
