from __future__ import annotations

import json

import pyarrow as pa

from airtally.demo.network import build
from airtally.demo.playlogs import Playlogs
from airtally.ingest.decode import read_rows
from airtally.streams import STREAMS


def test_the_streams_take_every_playlog_as_it_is() -> None:
    playlogs = Playlogs(days=3, rows=8_000)
    checked = read_rows(STREAMS["playlogs"], b"".join(playlogs.lines()), "application/x-ndjson")
    assert checked.errors == []
    assert checked.rows.equals(pa.concat_tables(playlogs.tables()))


def test_the_streams_take_every_player_and_media() -> None:
    network = build(1, 30)
    for name, rows in (("players", network.player_rows(1_790_000_000_000_000)), ("medias", network.media_rows())):
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
        checked = read_rows(STREAMS[name], body, "application/x-ndjson")
        assert (checked.errors, checked.rows.num_rows) == ([], len(rows))
