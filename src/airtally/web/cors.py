"""Cross-origin calls from web pages (CORS, the Fetch standard): which pages may call, and what browsers are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_TAKEN = (
    b"Accept, Airtally-Account, Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-None-Match, Prefer, "
    b"Range"
)
#: Headers of answers that a page's program may read.
_SHOWN = (
    b"Airtally-Answered-From, Airtally-Data-Through, Airtally-Elapsed-Ms, Airtally-Generated-At, Airtally-Next, "
    b"Airtally-Rows, Airtally-Rows-Read, Airtally-Standard-Error, Airtally-Timezone, Content-Range, ETag, "
    b"Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After"
)
_PREFLIGHT_SECONDS = b"7200"


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """The origins whose pages may call; `*` for all. Cookies never count: callers present a key."""

    origins: Sequence[str]

    def headers(self, origin: bytes | None) -> Headers:
        """For an answer to a page of the origin. Caches must not give it to another."""
        if not self.origins:
            return []
        found: Headers = [(b"vary", b"Origin")]
        if origin is not None and self._allows(origin):
            found += [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", _SHOWN)]
        return found

    def preflight(self, origin: bytes) -> Headers:
        """Besides `headers`, for the answer to a browser that asks whether it may call; none if it may not."""
        if not self._allows(origin):
            return []
        return [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _TAKEN),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        ]

    def _allows(self, origin: bytes) -> bool:
        return "*" in self.origins or origin.decode("latin-1").lower() in self.origins
