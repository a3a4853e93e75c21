"""Where the next page of an answer begins: an opaque text, which holds the last row's keys and the interval asked for.

The interval is in it so that all pages of `last 7 days` are of the same days. It is not signed: with other values in it
a caller gets what a filter could have given, and values of a wrong type are refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Sequence

import msgspec

from airtally.api.query.body import QueryBody
from airtally.kit.sent_json import decode_sent
from airtally.query.page import KeyValue
from airtally.query.question import END_US, FIRST_US

#: 20 dimensions of 2,048 bytes, each byte escaped as `\u0000` at worst.
_MOST_CHARACTERS = 512 << 10
_DIGEST_BYTES = 12
#: Fields that may change from page to page.
_FREE = ("cursor", "limit", "format")
_WHOLE_NUMBERS = 1 << 126


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    question: str
    start_us: int | None
    end_us: int | None
    after: tuple[KeyValue, ...]


def encode_cursor(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def decode_cursor(text: str, asked: QueryBody) -> Cursor:
    """Raises ValueError for a text that is no cursor, and for one of another question."""
    if len(text) > _MOST_CHARACTERS:
        raise ValueError("the cursor is too long")
    try:
        read = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = decode_sent(read, Cursor)
    except (binascii.Error, msgspec.DecodeError, UnicodeError, RecursionError):
        raise ValueError("the cursor is none that an answer gave as `next`") from None
    if cursor.question != digest_of(asked):
        raise ValueError("the cursor is of another question: only `limit`, `format` and `cursor` may change")
    if any(each is not None and not FIRST_US <= each <= END_US for each in (cursor.start_us, cursor.end_us)):
        raise ValueError("the cursor is none that an answer gave as `next`")
    return cursor


def checked_keys(after: Sequence[KeyValue], kinds: Sequence[str]) -> tuple[KeyValue, ...]:
    """The values of the keys. Raises ValueError if one is not of its column's kind."""
    if len(after) != len(kinds) or not all(map(_fits_kind, after, kinds)):
        raise ValueError("the cursor is none that an answer gave as `next`")
    return tuple(
        float(each) if kind == "number" and each is not None else each for each, kind in zip(after, kinds, strict=True)
    )


def digest_of(asked: QueryBody) -> str:
    """Equal for bodies that ask the same question."""
    fields = {name: value for name, value in msgspec.to_builtins(asked).items() if name not in _FREE}
    return hashlib.sha256(msgspec.json.encode(fields, order="deterministic")).hexdigest()[: 2 * _DIGEST_BYTES]


def _fits_kind(value: KeyValue, kind: str) -> bool:
    if value is None:
        return True
    if kind == "text" or isinstance(value, str | bool):
        return kind == "text" and isinstance(value, str)
    return abs(value) < math.inf if kind == "number" else isinstance(value, int) and abs(value) < _WHOLE_NUMBERS
