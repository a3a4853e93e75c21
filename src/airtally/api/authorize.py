"""Checks the bearer keys of the native API, and which account a call is about."""

from __future__ import annotations

from airtally.accounts.accounts import Account, Accounts
from airtally.accounts.keys import Keys
from airtally.accounts.permissions import Permission
from airtally.accounts.principal import Principal
from airtally.kit import bearer
from airtally.kit.errors import Forbidden, NotFound, Unauthorized
from airtally.web.callers import bearer_of

#: Reads the key from the headers, before the body is read.
presented = bearer_of("native")

#: The header by which an operator names the account that a call is about.
ACCOUNT_HEADER = "airtally-account"


def bearer_token(header: str) -> str:
    """The token of an `Authorization` header. Raises Unauthorized."""
    token = bearer.bearer_token(header)
    if token is None:
        raise Unauthorized("Authorization: Bearer <native key> is missing")
    return token


def allowed(principal: Principal | None, permission: str) -> Principal:
    """The holder of a valid key with the permission. Raises Unauthorized or Forbidden."""
    if principal is None:
        raise Unauthorized("The key is unknown, revoked or expired")
    if permission not in principal.scopes:
        if permission == Permission.OPERATOR:
            raise Forbidden("Only operators may do this", hint="Use the token of a user whose role is `operator`")
        what = "user's role" if principal.user is not None else "key's scope"
        raise Forbidden(f"The {what} does not include `{permission}`")
    return principal


def authorize(keys: Keys, header: str, permission: str) -> Principal:
    """The holder of the key in an `Authorization` header. Raises Unauthorized or Forbidden.

    Blocks to read the metadata store if the key is not cached.
    """
    return allowed(keys.authenticate("native", bearer_token(header)), permission)


def account_of(principal: Principal, named: str | None, accounts: Accounts, *, of_closed: bool = False) -> Account:
    """The caller's account, or the one that an operator names by the header, with `of_closed` also a closed one.

    Raises NotFound for another's, and AccountClosed.
    """
    if not named or named == principal.account.slug:
        return principal.account
    if Permission.OPERATOR not in principal.scopes:
        raise NotFound(f"There is no account {named[:64]!r}")
    return accounts.whether_open_or_not(named) if of_closed else accounts.by_slug(named)
