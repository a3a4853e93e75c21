"""Who calls: the key at the token endpoint, the token everywhere else. The header is read by hand.

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

#: For whoever looks at the caller before the body is read.
presented = bearer_of(KIND, _ACCESS)


def key_holder(keys: Keys, header: str | None) -> Principal:
    """By the key as it is, else by the Base64 of it, also of the key with a colon. Raises Unauthorized."""
    presented = credential(header, "basic")
    for text in _readings(presented) if presented else ():
        principal = keys.authenticate(KIND, text)
        if principal is not None:
            return principal
    raise Unauthorized(CHOICES.unauthorized)


def token_holder(keys: Keys, header: str | None) -> Principal:
    """Raises Unauthorized."""
    token = bearer_token(header or "")
    principal = keys.authenticate_token(KIND, _ACCESS, token) if token else None
    if principal is None:
        raise Unauthorized(CHOICES.unauthorized)
    return principal


def issue_token(keys: Keys, principal: Principal) -> str:
    """Standard Base64. Tokens issued before stay valid."""
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
