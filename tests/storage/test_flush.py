"""The flusher: what leaves the buffer, and when."""

from __future__ import annotations

import pyarrow as pa
import pytest

from airtally.kit.time import SECOND_US
from airtally.kit.troubles import Troubles
from airtally.storage.buffer import Chunk, TailPart
from airtally.storage.buffer.batches import Lane
from airtally.storage.flush import Flusher, FlushPolicy
from airtally.streams import PLAYERS
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import Storage, lanes


def test_rows_of_days_that_are_over_wait_in_their_own_lane(storage: Storage) -> None:
    storage.add((1, None, 0), (2, None, 1), (3, None, 2), (4, None, 400))
    assert lanes(storage) == [(0, 2), (1, 2)]
    storage.clock.advance(31)
    storage.flusher().step()
    assert lanes(storage) == [(1, 2)]
    storage.clock.advance(570)
    storage.flusher().step()
    assert lanes(storage) == []
    assert storage.medias() == [1, 2, 3, 4]


POLICY = FlushPolicy(seconds=30, rows=10, size=1000, late_seconds=600, late_rows=20, late_size=2000)
RECEIVED_US = 1_000_000_000


def part(lane: Lane, rows: int = 1, size: int = 1) -> TailPart:
    whole = pa.table({"n": range(rows)})
    return TailPart("b", lane, (Chunk(whole, 1, 1, frozenset(), size, RECEIVED_US),))


@pytest.mark.parametrize(
    ("seconds", "of_part", "due"),
    [
        (29, part(Lane.OPEN), False),
        (30, part(Lane.OPEN), True),
        (0, part(Lane.OPEN, rows=9), False),
        (0, part(Lane.OPEN, rows=10), True),
        (0, part(Lane.OPEN, size=1000), True),
        (599, part(Lane.LATE), False),
        (600, part(Lane.LATE), True),
        (0, part(Lane.LATE, rows=19, size=1999), False),
        (0, part(Lane.LATE, rows=20), True),
        (0, part(Lane.LATE, size=2000), True),
        (-1, part(Lane.LATE), True),
    ],
)
def test_rows_are_due_by_age_number_and_size(seconds, of_part, due):
    """A clock that was set back says nothing of their age: they are flushed at once."""
    assert POLICY.due(of_part, RECEIVED_US + seconds * SECOND_US) is due


def test_one_streams_trouble_keeps_no_other_stream_back(storage: Storage) -> None:
    """And is put off: the next step does not try it again at once."""
    troubles = Troubles(now=lambda: 0.0)
    flusher = Flusher(
        storage.event_store, storage.buffer, clock=storage.clock, policy=FlushPolicy(seconds=0), troubles=troubles
    )
    storage.add((1, None, 0))
    player = pa.Table.from_pylist([{"player_id": 1}], schema=PLAYERS.row_schema)
    storage.buffer.append(PLAYERS, "acme", player).result(10)
    (storage.home / "lake").mkdir()
    (storage.home / "lake" / "playlogs").write_text("in the way of the table's folder")
    flusher.step()
    assert storage.buffer.streams() == [PLAYLOGS]
    (words,) = troubles.words()
    assert words.startswith("flush of playlogs")
    (storage.home / "lake" / "playlogs").unlink()
    flusher.step()
    assert storage.buffer.streams() == [PLAYLOGS]
    assert flusher.flush_all() == 1
