"""Batches from body to disk: what their answers say, and that accounts take turns however much work one has."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
from dataclasses import replace
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airtally.ingest.row_errors import RowError
from airtally.ingest.service import Batch, answer_of
from airtally.kit.errors import BadRequest
from airtally.kit.fair import Room, Slots
from airtally.runtime import open_services
from airtally.services import Role
from airtally.settings import Settings
from airtally.streams import PLAYLOGS, STREAMS
from fixtures.migrated import migrated

NDJSON, JSON, PARQUET = "application/x-ndjson", "application/json", "application/vnd.apache.parquet"
PLAY = b'{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}'


def version(number: int) -> bytes:
    return b'{"player_id": %d, "name": "p", "last_update_time_utc": "2026-10-01T08:00:00Z"}\n' % number


def parquet(rows: int) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"player_id": pa.array([None] * rows, pa.int64()), "id": map(str, range(rows))}), sink)
    return sink.getvalue()


#: Stream, media type, packing, body.
EXPENSIVE = {
    "blank lines": ("playlogs", NDJSON, "gzip", gzip.compress(b"\n" * (40 << 20))),
    "wrong rows": ("playlogs", NDJSON, "gzip", gzip.compress(b"{}\n" * 60_000)),
    "no JSON": ("playlogs", NDJSON, "", b"hello\n" * 40_000),
    "right rows": ("playlogs", NDJSON, "", (PLAY + b"\n") * 40_000),
    "an array": ("playlogs", JSON, "", b"[" + b"1," * 40_000 + b"1]"),
    "Parquet": ("playlogs", PARQUET, "", parquet(40_000)),
    "a changelog": ("players", NDJSON, "", b"".join(map(version, range(8_000)))),
}


class Watched(Slots):
    """One slot. The loud account's work stops at its first slice until the quiet one waits; notes who had each slice."""

    def __init__(self) -> None:
        super().__init__(1)
        self.slices: list[str] = []
        self.started = threading.Event()

    def acquire(self, key: str) -> None:
        super().acquire(key)
        self.slices.append(key)

    def pass_on(self, key: str) -> None:
        if key == "loud" and not self.started.is_set():
            self.started.set()
            _until(lambda: self._waiting.has_other(key))
        before = len(self.slices)
        super().pass_on(key)
        if len(self.slices) == before:
            self.slices.append(key)


def _until(holds) -> None:
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.001)


@pytest.fixture
def services(tmp_path):
    services = open_services(migrated(Settings(home=tmp_path)), role=Role.ROWS)
    yield services
    services.close()


@pytest.fixture
def loud(services):
    return services.access.accounts.create("Loud", "loud")


@pytest.fixture
def quiet(services):
    return services.access.accounts.create("Quiet", "quiet")


@pytest.mark.parametrize("kind", EXPENSIVE)
def test_a_small_batch_waits_for_one_slice_at_a_time(kind, services, loud, quiet):
    ingest = services.intake.batches
    slots = Watched()
    ingest._slots = dict.fromkeys(ingest._slots, slots)  # large and small bodies share the one
    stream, media_type, encoding, body = EXPENSIVE[kind]
    work = threading.Thread(
        target=ingest.accept, args=(Batch(STREAMS[stream], loud, body, media_type, encoding),), daemon=True
    )
    work.start()
    assert slots.started.wait(60)
    begun = len(slots.slices)
    answer = json.loads(ingest.accept(Batch(PLAYLOGS, quiet, (PLAY + b"\n") * 500, NDJSON)))
    between = slots.slices[begun : len(slots.slices) - slots.slices[::-1].index("quiet")]
    work.join(60)

    assert answer["accepted"] == 500
    assert "quiet" in between
    # The quiet account's slices but for one each follow on one of the other's at most, where it waits.
    assert all({*pair} != {"loud"} for pair in pairwise(between))
    assert slots.slices.count("loud") > 10  # there was more to wait for


def test_a_small_batch_waits_for_no_large_one_and_two_large_ones_for_none(services, loud, quiet):
    ingest = services.intake.batches
    large = Batch(PLAYLOGS, loud, (PLAY + b"\n") * 2_000, NDJSON)
    small = Batch(PLAYLOGS, quiet, PLAY, NDJSON)
    with ingest._slots[True].held("loud"):
        for batch, rows in ((small, 1), (large, 2_000)):
            assert json.loads(ingest.accept(batch))["accepted"] == rows


def test_large_bodies_wait_for_room_and_small_ones_do_not(services, loud, quiet):
    ingest = services.intake.batches
    ingest._room = room = Room(100 << 20, each=60 << 20)
    large = Batch(PLAYLOGS, loud, gzip.compress(b"\n" * (50 << 20)), NDJSON, "gzip")
    done = threading.Event()
    with room.held("loud", 50 << 20):
        work = threading.Thread(target=lambda: (ingest.accept(large), done.set()), daemon=True)
        work.start()
        _until(lambda: len(room._waiting) == 1)
        for account in (loud, quiet):
            assert json.loads(ingest.accept(Batch(PLAYLOGS, account, PLAY, NDJSON)))["accepted"] == 1
        others = Batch(PLAYLOGS, quiet, gzip.compress(b"\n" * (40 << 20)), NDJSON, "gzip")
        assert json.loads(ingest.accept(others))["accepted"] == 0
        assert not done.is_set()
    assert done.wait(60)
    assert room._holders == {}


@pytest.mark.parametrize("kind", ["wrong Parquet", "no Parquet", "too many wrong rows"])
def test_room_is_given_back_whatever_becomes_of_a_body(kind, services, loud):
    ingest = services.intake.batches
    body = {
        "wrong Parquet": (PARQUET, parquet(2_000) + b"\0" * (9 << 20)),
        "no Parquet": (PARQUET, b"\0" * (9 << 20)),
        "too many wrong rows": (NDJSON, b"{}\n" * 3_000_000),
    }[kind]
    ingest._limits = replace(ingest._limits, errors_max=1000)
    with pytest.raises(BadRequest):
        ingest.accept(Batch(PLAYLOGS, loud, gzip.compress(body[1]), body[0], "gzip"))
    assert ingest._room._holders == {}
    assert [slots._holders for slots in ingest._slots.values()] == [{}, {}]


def test_a_million_errors_have_a_bounded_answer(services, loud):
    body = gzip.compress(b"{}\n" * 1_000_000, 1)
    answer = services.intake.batches.accept(Batch(PLAYLOGS, loud, body, NDJSON, "gzip"))
    said = json.loads(answer)
    assert (said["accepted"], said["rejected"]) == (0, 1_000_000)
    assert [error["line"] for error in said["errors"]] == list(range(1, 101))
    assert len(answer) < 10_000
    (entry,) = services.intake.quarantine.entries(loud)
    assert entry.rows == 1_000_000


def test_an_answer_says_which_of_the_rejected_rows_were_not_kept():
    errors = [RowError(line, "player_id", "required", b"{}") for line in (1, 4, 5)]
    assert "quarantined" not in answer_of(7, errors).decode()
    said = json.loads(answer_of(7, errors, kept=2))
    assert (said["accepted"], said["rejected"], said["quarantined"]) == (7, 3, False)
    assert ["quarantined" in each for each in said["errors"]] == [False, False, True]
