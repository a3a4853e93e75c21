"""Calls of any path, and what they need of the typed ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

import msgspec

from airtally.client.exchange import Exchange, exchange
from airtally.client.messages import JSON, ApiAnswer, ApiRequest, read_as
from airtally.client.retry import RetryRules

#: By HTTP (RFC 9110, 9.2.2) these have the same effect when they are sent twice.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})

#: The most of a page of a listing.
LISTING_ROWS = 1000


class CallOptions(TypedDict, total=False):
    """What a call sends: a value as `json`, or a `body` with its type in `headers`.

    In `query` None is left out. It is tried again if its method allows that by HTTP, or with an `idempotency_key`.
    """

    json: Any
    body: bytes | None
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    idempotency_key: str | None


def call(rules: RetryRules, method: str, path: str, **options: Unpack[CallOptions]) -> Exchange[ApiAnswer]:
    """A request for any path of the server. Raises ValueError for a path that would lead to another server."""
    if unknown := options.keys() - CallOptions.__annotations__.keys():
        raise TypeError(f"a request has no option {', '.join(sorted(unknown))}")
    json, body, key = options.get("json"), options.get("body"), options.get("idempotency_key")
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError(f"a path begins with one slash, unlike {path[:100]!r}")
    if json is not None and body is not None:
        raise ValueError("a request has `json` or a `body`, not both")
    sent = dict(options.get("headers", {}))
    if json is not None:
        body = msgspec.json.encode(json)
        sent = {"Content-Type": JSON} | sent
    if key is not None:
        sent["Idempotency-Key"] = key
    repeatable = method.upper() in _IDEMPOTENT or key is not None
    request = ApiRequest(method.upper(), path, _as_texts(options.get("query", {})), sent, body or b"", repeatable)
    return exchange(request, lambda answer: answer, rules, rules.read_patience)


class ListingPart(msgspec.Struct, frozen=True):
    """A page of a listing; `next` is the cursor of the page after it."""

    items: list[dict[str, Any]]
    next: str | None = None


def listed(rules: RetryRules, path: str, query: Mapping[str, Any], cursor: str | None) -> Exchange[ListingPart]:
    """One page of a listing of the API. Raises ValueError as `call` does."""
    asked = {"limit": LISTING_ROWS, **query, "cursor": cursor}
    answer = yield from call(rules, "GET", path, query=asked)
    return read_as(answer, ListingPart)


def _as_texts(query: Mapping[str, Any]) -> dict[str, str]:
    """None is left out; True and False are written as JSON writes them."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in query.items()
        if value is not None
    }
