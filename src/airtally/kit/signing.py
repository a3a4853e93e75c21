"""Signed links, which need no other credential: an HMAC over the path, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac

from airtally.kit import attempts

SIGNATURE_BYTES = 20


class LinkSigner:
    """Signs paths of this server. `key`, of 16 bytes or more, is a sub-key of the secret key, used for links only."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("the key for signing links must have 16 bytes or more")
        self._key = key

    def sign(self, path: str) -> str:
        """40 lower-case hex characters."""
        return hmac.digest(self._key, path.encode(), hashlib.sha256)[:SIGNATURE_BYTES].hex()

    def is_signed(self, path: str, signature: str) -> bool:
        right = hmac.compare_digest(self.sign(path).encode(), signature.encode())
        if signature:
            attempts.note(right=right)
        return right
