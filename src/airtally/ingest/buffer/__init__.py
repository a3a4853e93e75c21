"""Where rows wait between their acknowledgement and the lake: one SQLite file a process."""

from airtally.ingest.buffer.buffer import Buffer
from airtally.ingest.buffer.peers import PeerTails
from airtally.ingest.buffer.tail import Chunk, TailPart
from airtally.ingest.buffer.writer import Receipt

__all__ = ["Buffer", "Chunk", "PeerTails", "Receipt", "TailPart"]
