"""Signed links to dataset files, which need no other permission and expire.

docs/vendors/slate.md#6.
"""

from __future__ import annotations

import re
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


_PLAIN = re.compile(r"[A-Za-z0-9._~-]+")


@dataclass(frozen=True, slots=True)
class Link:
    """`expires_at` in microseconds UTC, a whole second."""

    url: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class LinksOfMoment:
    """Signs links to files of one dataset that begin in one second."""

    signer: LinkSigner
    public_url: str
    dataset_row_id: int
    date: str
    seconds: int
    expires_at: int

    def link(self, file_id: str) -> Link:
        signature = self.signer.sign(_signed(self.dataset_row_id, file_id, self.date, str(self.seconds)))
        name = file_id if _PLAIN.fullmatch(file_id) else quote(file_id, safe="")
        query = f"{DATE}={self.date}&{EXPIRES}={self.seconds}&{SIGNATURE}={signature}"
        return Link(f"{self.public_url}/files/{name}?{query}", self.expires_at)


class FileLinks:
    """`seconds` is how long a link is valid."""

    def __init__(self, public_url: str, signer: LinkSigner, seconds: int) -> None:
        self._public_url = public_url.rstrip("/")
        self._signer = signer
        self._seconds = seconds

    def at(self, dataset_row_id: int, now_us: int) -> LinksOfMoment:
        begin = now_us // SECOND_US * SECOND_US
        date, end = to_datetime(begin).strftime(_BASIC), begin + self._seconds * SECOND_US
        return LinksOfMoment(self._signer, self._public_url, dataset_row_id, date, self._seconds, end)

    def link(self, dataset_row_id: int, file_id: str, now_us: int) -> Link:
        return self.at(dataset_row_id, now_us).link(file_id)

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
