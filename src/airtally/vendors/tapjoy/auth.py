"""Authenticates callers: by the key at the token endpoint, by an access token everywhere else.

docs/vendors/tapjoy.md#2, #3.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets

from airtally.accounts.keys import Keys, Principal
from airtally.kit.bearer import bearer_token, credential
from airtally.kit.errors import Unauthorized
from airtally.vendors.tapjoy.choices import CHOICES
from airtally.web.callers import bearer_of

KIND = "tapjoy"
_ACCESS = "access"
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")

#: Reads the caller's credential from the headers, before the body is read.
presented = bearer_of(KIND, _ACCESS)


def key_holder(keys: Keys, header: str | None) -> Principal:
    """The holder of the key: sent as it is, as its Base64, or as the Base64 of `key:`. Raises Unauthorized."""
    presented = credential(header, "basic")
    for text in _readings(presented) if presented else ():
        principal = keys.authenticate(KIND, text)
        if principal is not None:
            return principal
    raise Unauthorized(CHOICES.unauthorized)


def token_holder(keys: Keys, header: str | None) -> Principal:
    """The holder of the access token. Raises Unauthorized."""
    token = bearer_token(header or "")
    principal = keys.authenticate_token(KIND, _ACCESS, token) if token else None
    if principal is None:
        raise Unauthorized(CHOICES.unauthorized)
    return principal


def issue_token(keys: Keys, principal: Principal) -> str:
    """A new access token, in standard Base64. Tokens issued before stay valid."""
    token = base64.b64encode(secrets.token_bytes(CHOICES.token_bytes)).decode()
    keys.issue_token(principal, _ACCESS, token, lifetime_us=CHOICES.expires_in * 1_000_000)
    return token


def _readings(presented: str) -> list[str]:
    """The texts that may be the key, the likeliest first."""
    bare = presented.rstrip("=")
    if _NOT_BASE64.search(bare):
        return [presented]
    try:
        decoded = base64.b64decode(bare + "=" * (-len(bare) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return [presented]
    return [presented, *dict.fromkeys((decoded, decoded.removesuffix(":")))]
