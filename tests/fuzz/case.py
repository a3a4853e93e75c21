"""One request of the fuzzer: drawn without a server, rendered for one, written down as a line of text."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping

import msgspec

#: What only a running server knows, such as `<<a.link.report>>`.
_PLACEHOLDER = re.compile(rb"<<([a-z.]+)>>")

Headers = list[tuple[bytes, bytes]]


class Case(msgspec.Struct):
    """`shows` are the accounts whose data the answer may hold. `damage` is done to the bytes (`wire.py`).

    `ledger` is a batch whose rows are counted at the end: its number and how many of its rows are right.
    """

    method: bytes
    target: bytes
    headers: Headers = []
    body: bytes = b""
    shows: list[str] = []
    damage: tuple[str, int] | None = None
    ledger: tuple[int, int] | None = None

    def filled(self, known: Mapping[str, bytes]) -> Case:
        """With the running server's names in it."""

        def fill(text: bytes) -> bytes:
            return _PLACEHOLDER.sub(lambda found: known.get(found[1].decode(), found[0]), text)

        headers = [(name, fill(value)) for name, value in self.headers]
        return msgspec.structs.replace(self, target=fill(self.target), headers=headers, body=fill(self.body))

    def written(self) -> str:
        return base64.urlsafe_b64encode(zlib.compress(msgspec.msgpack.encode(self), 9)).decode()

    @classmethod
    def read(cls, text: str) -> Case:
        return msgspec.msgpack.decode(zlib.decompress(base64.urlsafe_b64decode(text)), type=cls)

    def shown(self) -> str:
        """For people."""
        headers = " ".join(
            f"{name.decode('latin-1')}: {value.decode('latin-1')[:60]!r}" for name, value in self.headers
        )
        damage = "" if self.damage is None else f" damage={self.damage}"
        return (
            f"{self.method!r} {self.target[:200]!r} {headers} body={self.body[:300]!r} ({len(self.body)} bytes){damage}"
        )
