"""The buffers of other processes, as they are read."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from airtally.kit.clock import MovableClock
from airtally.storage.buffer import Buffer, PeerTails
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import Storage, playlogs


def test_a_living_process_keeps_its_buffer_and_others_read_it(storage: Storage) -> None:
    storage.add((1, None, 0))
    other = storage.again()
    other.add((2, None, 0))
    assert other.buffer.adopted == ()
    assert storage.medias() == other.medias() == [1, 2]
    storage.add((3, None, 5))
    assert other.medias() == [1, 2, 3]
    storage.flusher().flush_all()
    assert storage.medias() == other.medias() == [1, 2, 3]
    storage.add((4, None, 0))
    assert other.medias() == [1, 2, 3, 4]


def test_a_folder_may_have_any_name(tmp_path: Path, clock: MovableClock) -> None:
    with ExitStack() as opened:
        buffers = tmp_path / "50% of #1?"
        writer = Buffer.open(buffers, clock=clock)
        opened.callback(writer.close)
        writer.append(PLAYLOGS, "acme", playlogs((1, "a", 0))).result(5)
        peers = PeerTails(buffers)
        opened.callback(peers.close)
        assert [part.rows for part in peers.tail(PLAYLOGS, ())] == [1]
