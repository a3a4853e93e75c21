"""Signed links to dataset files, which need no other permission and expire.

docs/vendors/slate.md#6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from airtally.kit.signing import LinkSigner
from airtally.kit.time import SECOND_US, from_datetime, to_datetime

DATE, EXPIRES, SIGNATURE = "X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature"
#: Of a link, as clients send it back.
PARAMETERS = (DATE, EXPIRES, SIGNATURE)
_BASIC = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Link:
    """`expires_at` in microseconds UTC, a whole second."""

    url: str
    expires_at: int


class FileLinks:
    """`seconds` is how long a link is valid."""

    def __init__(self, public_url: str, signer: LinkSigner, seconds: int) -> None:
        self._public_url = public_url.rstrip("/")
        self._signer = signer
        self._seconds = seconds

    def link(self, dataset_row_id: int, file_id: str, now_us: int) -> Link:
        begin = now_us // SECOND_US * SECOND_US
        date = to_datetime(begin).strftime(_BASIC)
        signature = self._signer.sign(_signed(dataset_row_id, file_id, date, str(self._seconds)))
        path = f"/files/{quote(file_id, safe='')}"
        query = f"{DATE}={date}&{EXPIRES}={self._seconds}&{SIGNATURE}={signature}"
        return Link(f"{self._public_url}{path}?{query}", begin + self._seconds * SECOND_US)

    def is_valid(self, dataset_row_id: int, file_id: str, query: Mapping[str, str], now_us: int) -> bool:
        """Whether the query is that of one of our links to this file, and has not expired.

        A link from before the clock was set back may begin in the future. It is refused if it begins further ahead
        than its own life, so that none is valid for more than twice as long as meant.
        """
        date, expires = query.get(DATE, ""), query.get(EXPIRES, "")
        if not self._signer.is_signed(_signed(dataset_row_id, file_id, date, expires), query.get(SIGNATURE, "")):
            return False
        end = _end(date, expires)
        return end - 2 * int(expires) <= now_us // SECOND_US <= end


def _signed(dataset_row_id: int, file_id: str, date: str, expires: str) -> str:
    """The signed text. It names the dataset, as datasets of two accounts may have files with the same id."""
    return f"/files/{file_id}?dataset={dataset_row_id}&{DATE}={date}&{EXPIRES}={expires}"


def _end(date: str, expires: str) -> int:
    """When a link expires, in seconds since 1970. Only for values whose signature was checked."""
    begin = datetime.strptime(date, _BASIC).replace(tzinfo=UTC)
    return from_datetime(begin + timedelta(seconds=int(expires))) // SECOND_US
