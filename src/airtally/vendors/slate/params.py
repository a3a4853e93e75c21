"""Parses the page that a listing is asked for, and writes the address of the next one.

docs/vendors/slate.md#4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from airtally.kit.errors import BadRequest
from airtally.kit.paging import Slice
from airtally.vendors.slate.choices import CHOICES

#: Parameters of listings.
LIMIT, OFFSET = "limit", "offset"


@dataclass(frozen=True, slots=True)
class PageParams:
    """`offset` counts pages, or with `by_item` the items before the page."""

    offset: int
    limit: int
    by_item: bool

    @property
    def part(self) -> Slice:
        return Slice(self.offset if self.by_item else self.offset * self.limit, self.limit)

    def next_offset(self, total: int) -> int | None:
        """None on the last page and past it."""
        following = self.offset + (self.limit if self.by_item else 1)
        before = following if self.by_item else following * self.limit
        return following if before < total else None


def asked(query: Mapping[str, str], mode: str) -> PageParams:
    """`mode`: page or item. Raises BadRequest."""
    limit = _bounded_number(query, LIMIT, CHOICES.default_limit, least=1, most=CHOICES.largest_limit)
    offset = _bounded_number(query, OFFSET, 0, least=0, most=CHOICES.largest_offset)
    return PageParams(offset, limit, mode == "item")


def next_url(base: str, path: str, filters: Mapping[str, str], page: PageParams, total: int) -> str | None:
    """Absolute, on the same path: the filters, then `offset`, then `limit`."""
    following = page.next_offset(total)
    if following is None:
        return None
    pairs = {**filters, OFFSET: str(following), LIMIT: str(page.limit)}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items())
    return f"{base.rstrip('/')}{quote(path.rstrip('/'))}?{query}"


def _bounded_number(query: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,4000}", text) or int(text) < least:
        raise BadRequest(f"{name} must be a whole number, {least} or more")
    return min(int(text), most)
