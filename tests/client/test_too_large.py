"""A batch that is larger than the server takes is sent in halves, of which each row is stored once."""

from __future__ import annotations

import pyarrow as pa
import pytest

from airtally.client import BatchSize, InvalidRequest
from airtally.client.batches import NDJSON, EncodedBatch
from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.sent import Caller
from fixtures.server import LiveServer

PLAY = {"player_id": 1, "media_id": 1, "played_at": "2026-11-02T08:00:00"}
LARGE = BatchSize(rows=50_000, bytes=8 << 20)


@pytest.fixture(scope="module")
def small_server(tmp_path_factory):
    """One that takes 64 KiB at once."""
    settings = Settings(home=tmp_path_factory.mktemp("small") / "home", rate_limits=False, body_max=64 << 10)
    server = LiveServer(settings, MovableClock(NOW_US)).start()
    yield server
    server.stop()


@pytest.fixture
def native(small_server, join):
    return join(small_server)


@pytest.fixture
def caller(form, small_server, native):
    return Caller(form, small_server.url, native.token)


@pytest.mark.parametrize("as_table", [False, True])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_it_is_sent_in_halves(caller: Caller, native: Native, *, as_table: bool, compression: str | None) -> None:
    """Some rows are wrong: their positions are those among the rows given."""
    rows = [PLAY | {"media_id": number, "ip": f"10.{number % 256}.7.{number * 7 % 256}"} for number in range(20_000)]
    for wrong in (3, 11_111):
        rows[wrong] |= {"type": "?"}
    given = pa.Table.from_pylist([{"type": None} | each for each in rows]) if as_table else rows
    sent = caller.send("playlogs", given, size=LARGE, compression=compression, key="one")
    assert (sent.accepted, sent.rejected, sent.batches) == (19_998, 2, 1)
    assert [each.index for each in sent.rejections] == [3, 11_111]
    again = caller.send("playlogs", given, size=LARGE, compression=compression, key="one")
    assert (again.accepted, again.rejected) == (19_998, 2)
    assert native.count() == 19_998


def test_a_row_that_is_too_large_by_itself_is_refused(caller: Caller, native: Native) -> None:
    rows = [PLAY, PLAY | {"type": "x" * (100 << 10)}, PLAY]
    with pytest.raises(InvalidRequest) as refused:
        caller.send("playlogs", rows)
    assert refused.value.status == 413
    assert refused.value.sent.rows == 0


@pytest.mark.parametrize("count", [2, 3, 1000, 50_000])
def test_the_keys_of_the_smallest_parts_are_short_and_their_own(count: int) -> None:
    def singles(batch: EncodedBatch) -> list[EncodedBatch]:
        halves = batch.halves()
        return [batch] if halves is None else [each for half in halves[:2] for each in singles(half)]

    whole = EncodedBatch(99_999_999, 0, count, NDJSON, b'{"a":1}\n' * count)
    found = singles(whole)
    assert [each.first for each in found] == list(range(count))
    assert {each.body for each in found} == {b'{"a":1}\n'}
    keys = {each.key for each in found}
    assert len(keys) == count
    assert max(map(len, keys)) <= 24
