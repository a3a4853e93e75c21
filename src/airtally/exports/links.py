"""Links to the parts of exports, which need no other permission and expire."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from airtally.exports.export import Export
from airtally.kit.signing import LinkSigner
from airtally.kit.time import DAY_US, SECOND_US


@dataclass(frozen=True, slots=True)
class PartLink:
    """`expires_at` in microseconds UTC, a whole second."""

    url: str
    expires_at: int


class ExportLinks:
    """`seconds` is how long a link is valid, where its file is kept as long; no file is kept longer than `kept_days`."""

    def __init__(self, public_url: str, signer: LinkSigner, seconds: float, kept_days: int = 7) -> None:
        self._public_url = public_url.rstrip("/")
        self._signer = signer
        self._life_us = round(seconds * SECOND_US)
        self._longest_us = max(2 * self._life_us, kept_days * DAY_US)

    def link(self, export: Export, number: int, now_us: int) -> PartLink:
        """Valid for the setting's time, and no longer than the file is kept."""
        ends = now_us + self._life_us
        return self._link(export, number, ends if export.expires_at is None else min(ends, export.expires_at))

    def lasting_link(self, export: Export, number: int, now_us: int) -> PartLink:
        """Valid as long as the file is kept, for messages that are read later."""
        return self._link(export, number, export.expires_at or now_us + self._life_us)

    def is_valid(self, export_id: int, number: int, expires: str, signature: str, now_us: int) -> bool:
        """A link that ends further ahead than links live is refused: it was made before the clock was set back."""
        if not self._signer.is_signed(_signed(export_id, number, expires), signature):
            return False
        return now_us < int(expires) * SECOND_US <= now_us + self._longest_us

    def _link(self, export: Export, number: int, ends_us: int) -> PartLink:
        expires = ends_us // SECOND_US
        signature = self._signer.sign(_signed(export.id, number, str(expires)))
        query = urlencode({"expires": expires, "signature": signature})
        return PartLink(f"{self._public_url}{download_path(export.id, number)}?{query}", expires * SECOND_US)


def download_path(export_id: int, number: int) -> str:
    return f"/api/v1/downloads/exports/{export_id}/{number}"


def _signed(export_id: int, number: int, expires: str) -> str:
    return f"{download_path(export_id, number)}?expires={expires}"
