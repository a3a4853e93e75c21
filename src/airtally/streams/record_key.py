"""The key of a changelog's record as one text, as it stands in a path: `ann,laptop`.

The values stand in the order of the stream's key, with a comma between them. In a value, any byte may be written as `~`
and two hexadecimal digits; `~`, `,`, `/` and a leading `.` are always written so, since they would end a value or be
lost on the way. A `~` alone is a null. It is the encoding that Datasette uses for compound keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airtally.streams.declaration import Stream, Type

KeyPart = int | str | None

NULL = "~"
MAX_TEXT = 4096
_RESERVED = re.compile(r"[~,/%?#\\\x00-\x20\x7f]|^\.")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_INT64 = range(-(1 << 63), 1 << 63)


def key_of(stream: Stream, row: Mapping[str, Any]) -> tuple[KeyPart, ...]:
    """The values of a row's key columns."""
    return tuple(row[name] for name in stream.key)


def written_key(parts: tuple[KeyPart, ...]) -> str:
    """The key as text."""
    return ",".join(NULL if part is None else _RESERVED.sub(_escaped, str(part)) for part in parts)


def read_key(stream: Stream, text: str) -> tuple[KeyPart, ...]:
    """The values of a key written as text. Raises ValueError, which says what is expected."""
    parts = text.split(",")
    if len(text) > MAX_TEXT or len(parts) != len(stream.key):
        raise ValueError(f"a record of {stream.name} is named by {', '.join(stream.key)}, with a comma between them")
    return tuple(read_part(stream, name, part) for name, part in zip(stream.key, parts, strict=True))


def read_part(stream: Stream, name: str, written: str) -> KeyPart:
    """One value of a key. Raises ValueError."""
    column = stream.by_name[name]
    if written == NULL:
        if column.required:
            raise ValueError(f"{name} is never null")
        return None
    text = _unescaped(written)
    if column.type is not Type.INT64:
        return text
    if not _WHOLE.fullmatch(text) or int(text) not in _INT64:
        raise ValueError(f"{name} is a whole number of 64 bits, not {text[:64]!r}")
    return int(text)


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"~{byte:02X}" for byte in found[0].encode())


def _unescaped(written: str) -> str:
    """Raises ValueError for a `~` without two digits, and for bytes that are no UTF-8."""
    raw = written.encode()  # raises UnicodeEncodeError, a ValueError, for half of a surrogate pair
    found = re.sub(rb"~(..|$|.)", _byte_of, raw, flags=re.DOTALL)
    try:
        return found.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{written[:64]!r} is no UTF-8 where its `~` are read") from None


def _byte_of(found: re.Match[bytes]) -> bytes:
    digits = found[1]
    if not re.fullmatch(rb"[0-9A-Fa-f]{2}", digits):
        raise ValueError("`~` is followed by two hexadecimal digits, or is a null if it stands alone")
    return bytes([int(digits, 16)])
