"""Links that are their own permission: an HMAC over the path, checked in constant time."""

from __future__ import annotations

import hashlib
import hmac

from airtally.kit import attempts

SIGNATURE_BYTES = 20


class LinkSigner:
    """Signs paths of this server. `key` is a sub-key of the secret key, for links alone."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("a link key of fewer than 16 bytes")
        self._key = key

    def sign(self, path: str) -> str:
        """40 lower-case hex characters."""
        return hmac.digest(self._key, path.encode(), hashlib.sha256)[:SIGNATURE_BYTES].hex()

    def is_signed(self, path: str, signature: str) -> bool:
        right = hmac.compare_digest(self.sign(path).encode(), signature.encode())
        if signature:
            attempts.note(right=right)
        return right
