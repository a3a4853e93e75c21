"""The streams: one file a stream, all of them in `STREAMS` by name."""

from airtally.streams.declaration import Stream
from airtally.streams.playlogs import PLAYLOGS

STREAMS: dict[str, Stream] = {stream.name: stream for stream in (PLAYLOGS,)}
