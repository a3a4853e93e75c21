"""Who calls, and whether they may call again already.

docs/vendors/fouryousee.md#1, #2.
"""

from __future__ import annotations

from airtally.accounts.accounts import Account
from airtally.kit import metrics
from airtally.kit.errors import TooManyRequests, Unauthorized
from airtally.vendors.fouryousee.choices import CHOICES
from airtally.vendors.vendor_api import Here
from airtally.web.callers import Headers, Presented
from airtally.web.requests import AnyRequest, note_account


def admitted(request: AnyRequest, services: Here) -> Account:
    """The account behind `Secret-Token`. Raises TooManyRequests or Unauthorized; reads the store."""
    if not services.access.limiter.allow(_uri(request), CHOICES.seconds_between_calls):
        metrics.CALLS_LIMITED.labels("fouryousee").inc()
        raise TooManyRequests(CHOICES.too_many)
    token = request.headers.get("secret-token", "")
    principal = services.access.keys.authenticate("fouryousee", token) if token else None
    if principal is None:
        raise Unauthorized(CHOICES.bad_token)
    note_account(request, principal.account.slug)
    return principal.account


def presented(headers: Headers) -> Presented | None:
    """For whoever looks at the token before the body is read."""
    token = headers.get(b"secret-token", b"").decode("latin-1")
    return Presented("fouryousee", token) if token else None


def _uri(request: AnyRequest) -> str:
    """What a limit is for: address, method, path and query."""
    address = request.client.host if request.client else ""
    query = request.scope["query_string"].decode("latin-1")
    return f"fouryousee {address} {request.method} {request.scope['path']}?{query}"
