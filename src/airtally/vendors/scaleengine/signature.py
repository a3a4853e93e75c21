"""Signatures are checked over the client's own bytes: the member is cut out, nothing is encoded again.

docs/vendors/scaleengine.md#2. The text is JSON that was read already, so its tokens need no check here.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

NAME = "signature"
DIGEST_BYTES = 32

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|[^\s{}\[\],:"]++', re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*")


@dataclass(frozen=True, slots=True)
class _Member:
    """Where the key's opening quote stands and where the value ends."""

    key: bytes
    start: int
    end: int


def verified(text: bytes, members: Mapping[str, Any], secret: str) -> bytes | None:
    """The digest that the client sent, if it is that of the request without its signature; else None."""
    sent = decoded(members.get(NAME))
    signed = cut(text)
    if sent is None or signed is None:
        return None
    for candidate in _candidates(signed, members):
        if hmac.compare_digest(hmac.digest(secret.encode(), candidate, "sha256"), sent):
            return sent
    return None


def cut(text: bytes) -> bytes | None:
    """An object's text without its one member `signature`; None where there is none or more than one."""
    members = list(_members(text))
    found = [at for at, member in enumerate(members) if _is_signature(member.key)]
    if len(found) != 1:
        return None
    at = found[0]
    if at > 0:
        start, end = members[at - 1].end, members[at].end
    else:
        start, end = members[0].start, members[1].start if len(members) > 1 else members[0].end
    return text[:start] + text[end:]


def decoded(value: object) -> bytes | None:
    """The 32 bytes of a signature; a `+` may have come as a space, the padding may be missing."""
    if not isinstance(value, str):
        return None
    text = value.replace(" ", "+").rstrip("=")
    if not _BASE64.fullmatch(text) or len(text) % 4 == 1:
        return None
    digest = base64.b64decode(text + "=" * (-len(text) % 4))
    return digest if len(digest) == DIGEST_BYTES else None


def _candidates(signed: bytes, members: Mapping[str, Any]) -> Iterator[bytes]:
    """What the client may have signed; all say the same as what it sent."""
    yield signed
    if b"\r\n" in signed:  # form libraries of browsers write line ends so
        yield signed.replace(b"\r\n", b"\n")
    rest = {name: value for name, value in members.items() if name != NAME}
    compact = json.dumps(rest, separators=(",", ":"))
    yield compact.replace("/", "\\/").encode()
    yield json.dumps(rest, separators=(",", ":"), ensure_ascii=False).encode()
    yield compact.encode()
    yield json.dumps(rest).encode()


def _members(text: bytes) -> Iterator[_Member]:
    depth, key, start, end = 0, b"", -1, 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in {b"}", b"]"}:
            depth -= 1
        if depth == 1 and start < 0 and token[:1] == b'"':
            key, start = token, match.start()
        elif start >= 0 and (depth == 0 or (depth == 1 and token == b",")):
            yield _Member(key, start, end)
            start = -1
        if token in {b"{", b"["}:
            depth += 1
        end = match.end()


def _is_signature(key: bytes) -> bool:
    return bool(msgspec.json.decode(key) == NAME)
