"""Links to the parts of exports, which need no other permission and expire."""

from __future__ import annotations

from urllib.parse import urlencode

from airtally.exports.export import Export
from airtally.kit.signing import LinkSigner
from airtally.kit.time import SECOND_US


class ExportLinks:
    """`seconds` is how long a link is valid, where its file is kept as long."""

    def __init__(self, public_url: str, signer: LinkSigner, seconds: float) -> None:
        self._public_url = public_url.rstrip("/")
        self._signer = signer
        self._life_us = round(seconds * SECOND_US)

    def url(self, export: Export, number: int, now_us: int) -> str:
        """Valid for the setting's time, and no longer than the file is kept."""
        ends = now_us + self._life_us if export.expires_at is None else min(now_us + self._life_us, export.expires_at)
        expires = str(ends // SECOND_US)
        query = {"expires": expires, "signature": self._signer.sign(_signed(export.id, number, expires))}
        return f"{self._public_url}{part_path(export.id, number)}?{urlencode(query)}"

    def is_valid(self, export_id: int, number: int, expires: str, signature: str, now_us: int) -> bool:
        """A link that ends further ahead than links live is refused: it was made before the clock was set back."""
        if not self._signer.is_signed(_signed(export_id, number, expires), signature):
            return False
        return now_us < int(expires) * SECOND_US <= now_us + 2 * self._life_us


def part_path(export_id: int, number: int) -> str:
    return f"/api/v1/exports/{export_id}/parts/{number}"


def _signed(export_id: int, number: int, expires: str) -> str:
    return f"{part_path(export_id, number)}?expires={expires}"
