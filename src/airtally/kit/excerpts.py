"""What is kept of a receiver's answer, for people who look for what went wrong."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

#: Bytes of a body.
BODY_BYTES = 1024
_HEADERS = 12
_VALUE_CHARACTERS = 100
#: Headers that may hold secrets of the receiver.
_HIDDEN = {"set-cookie", "www-authenticate", "authorization"}


def excerpt_of_headers(headers: Mapping[str, str]) -> str:
    """JSON of some headers, their values cut."""
    shown = [(name, value[:_VALUE_CHARACTERS]) for name, value in headers.items() if name not in _HIDDEN]
    return msgspec.json.encode(dict(shown[:_HEADERS])).decode().replace("\\u0000", "\\ufffd")


def excerpt_of_body(body: bytes) -> str:
    """As text; PostgreSQL stores no NUL."""
    return body.decode(errors="replace").replace("\0", "\ufffd")
