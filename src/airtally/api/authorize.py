"""Checks the bearer keys of the native API."""

from __future__ import annotations

from airtally.accounts.keys import Keys
from airtally.accounts.principal import Principal
from airtally.kit import bearer
from airtally.kit.errors import Forbidden, Unauthorized
from airtally.web.callers import bearer_of

#: Reads the key from the headers, before the body is read.
presented = bearer_of("native")


def bearer_token(header: str) -> str:
    """The token of an `Authorization` header. Raises Unauthorized."""
    token = bearer.bearer_token(header)
    if token is None:
        raise Unauthorized("Authorization: Bearer <native key> is missing")
    return token


def allowed(principal: Principal | None, scope: str) -> Principal:
    """The holder of a valid key with the scope. Raises Unauthorized or Forbidden."""
    if principal is None:
        raise Unauthorized("The key is unknown, revoked or expired")
    if scope not in principal.scopes:
        raise Forbidden(f"The key has no scope `{scope}`")
    return principal


def authorize(keys: Keys, header: str, scope: str) -> Principal:
    """The holder of the key in an `Authorization` header. Raises Unauthorized or Forbidden.

    Blocks to read the metadata store if the key is not cached.
    """
    return allowed(keys.authenticate("native", bearer_token(header)), scope)
