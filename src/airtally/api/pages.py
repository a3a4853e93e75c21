"""Listings of the native API, in pages that a cursor leads through."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

import msgspec

from airtally.kit.errors import Unprocessable

T = TypeVar("T")
U = TypeVar("U")

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
_MAX_ID = 2**63 - 1


class PageQuery(msgspec.Struct, forbid_unknown_fields=True):
    """`limit`: at most so many. `cursor`: the `next` of the page before."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[str, msgspec.Meta(max_length=64)] | None = None

    @property
    def position(self) -> int | None:
        """The id of the last item of the page before; None on the first page. Raises Unprocessable."""
        return None if self.cursor is None else _position(self.cursor)


class ListingPage(msgspec.Struct, Generic[T], frozen=True):
    """A page of a listing. `next` is the cursor of the page after it, null on the last one."""

    items: list[T]
    next: str | None


def page_of(found: Sequence[U], limit: int, shown: Callable[[U], T], id_of: Callable[[U], int]) -> ListingPage[T]:
    """A page of what was read with a limit of one more than `limit`, in the order of the ids."""
    page = found[:limit]
    more = len(found) > limit
    return ListingPage([shown(each) for each in page], _cursor(id_of(page[-1])) if more else None)


def page_that_fits(
    asked: PageQuery,
    read: Callable[[int | None, int], Sequence[U]],
    shown: Callable[[U], T],
    id_of: Callable[[U], int],
) -> ListingPage[T]:
    """A page of items that may be large: `read`, after an id, gives no more than the number, and no more than fit."""
    found = read(asked.position, asked.limit)
    more = bool(found) and bool(read(id_of(found[-1]), 1))
    return ListingPage([shown(each) for each in found], _cursor(id_of(found[-1])) if more else None)


def shown_token(text: str) -> str:
    """A text as an opaque cursor."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(cursor: str) -> str:
    """The text of an opaque cursor. Raises ValueError."""
    return base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()


def _cursor(position: int) -> str:
    return shown_token(str(position))


def _position(cursor: str) -> int:
    try:
        text = read_token(cursor)
        position = int(text) if text.isascii() and text.isdigit() else -1
    except ValueError:
        position = -1
    if not 0 <= position <= _MAX_ID:
        raise Unprocessable("The cursor is none of this listing", hint="Give the `next` of the page before")
    return position
