"""Files with rows that cannot be taken, as partners' programs send them by mistake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from airtally.kit.time import to_datetime

#: A row with what is wrong about it.
WrongRow = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file of a stream, NDJSON, by the name that the quarantine shows."""

    stream: str
    name: str
    rows: tuple[WrongRow, ...]

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in self.rows))
        return path


def refused_files(now_us: int, ad_group: str) -> Iterator[RefusedFile]:
    """Four files of four streams, with mistakes of several kinds in each."""
    now = to_datetime(now_us).replace(microsecond=0)
    day, time = f"{now - timedelta(days=1):%Y-%m-%d}", f"{now - timedelta(hours=20):%Y-%m-%dT%H:%M:%S}"
    yield RefusedFile("playlogs", f"lobby-players-{day}.ndjson", tuple(_plays(time, f"{now:%d/%m/%Y %H:%M}")))
    yield RefusedFile("ad_events", f"network-b-{day}.ndjson", tuple(_ad_events(f"{time}Z", ad_group)))
    yield RefusedFile(
        "viewer_samples", "edge-7-backfill.ndjson", tuple(_samples(f"{now - timedelta(days=40):%Y-%m-%dT%H:%M:00Z}"))
    )
    yield RefusedFile("playback", f"sessions-{day}.ndjson", tuple(_sessions(f"{time}Z")))


def _plays(time: str, written_by_people: str) -> Iterable[WrongRow]:
    good = {"player_id": 2, "media_id": 51, "played_at": time}
    yield from ({**good, "player_id": 900 + number, "played_at": written_by_people} for number in range(14))
    yield from ({**good, "media_id": f"media_{number}"} for number in range(41, 47))
    yield from ({"media_id": 51, "played_at": time} for _ in range(3))
    yield {**good, "ip": "lobby-3.local"}


def _ad_events(time: str, ad_group: str) -> Iterable[WrongRow]:
    good = {"ad_group_id": ad_group, "time": time, "kind": "paid_click", "country": "BR"}
    yield from ({**good, "kind": kind} for kind in ("click", "click", "view", "click", "purchase"))
    yield from ({**good, "country": country} for country in ("Brazil", "br"))
    yield {**good, "kind": "global_conversion", "spend": "12,50"}
    yield {**good, "count": -1}


def _samples(long_ago: str) -> Iterable[WrongRow]:
    yield from (
        {"app": "acme-live", "video_url": "news1_720p", "server": "edge-7", "time": long_ago, "viewers": number}
        for number in range(8)
    )


def _sessions(time: str) -> Iterable[WrongRow]:
    session = {"session_id": "s-1", "cid": "c-1", "start_segment_utc": time, "end_segment_utc": time}
    yield from ({**session, "session_id": f"s-{number}", "business_id": "acmemaxx-us"} for number in range(5))
