"""Where rows wait between their acknowledgement and the lake: one SQLite file a process."""

from airtally.storage.buffer.buffer import Buffer
from airtally.storage.buffer.intake import IntakeFigures
from airtally.storage.buffer.peers import PeerTails
from airtally.storage.buffer.tail import Chunk, TailPart
from airtally.storage.buffer.writer import Receipt

__all__ = ["Buffer", "Chunk", "IntakeFigures", "PeerTails", "Receipt", "TailPart"]
