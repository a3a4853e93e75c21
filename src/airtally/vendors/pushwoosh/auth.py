"""Authenticates callers, and checks which applications they may use.

docs/vendors/pushwoosh.md#1, #2.
"""

from __future__ import annotations

from airtally.accounts.principal import Principal
from airtally.kit.fair_executor import in_thread
from airtally.vendors.pushwoosh.call import Call
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.errors import Fault, Restricted

KIND = "pushwoosh"


def caller(call: Call) -> Principal:
    """Who the server token in `auth` belongs to. Raises Fault."""
    token = call.text("auth")
    principal = call.services.access.keys.authenticate(KIND, token) if token else None
    if principal is None:
        raise Fault(CHOICES.account_not_found)
    call.state["account"] = principal.account.slug
    return principal


async def on_behalf(call: Call) -> str | None:
    """The account whose turn at a worker thread the call takes: that of its token, else the owner of its application.

    Refuses nothing. Reads the database unless either was seen within the last second.
    """
    token = call.text("auth")
    known = call.services.access.keys.cached(KIND, token) if token else None
    return known.account.slug if known is not None else await in_thread(_account_of, call, token)


def _account_of(call: Call, token: str | None) -> str | None:
    principal = call.services.access.keys.authenticate(KIND, token) if token else None
    if principal is not None:
        return principal.account.slug
    code = call.text("application")
    owner = call.services.access.owners.owner_of("application", code) if code else None
    return None if owner is None else f"account {owner}"


def application(call: Call, principal: Principal) -> str:
    """The code in `application`, which exists and may be used. Raises Fault or Restricted."""
    return checked_applications(call, principal, [call.text("application") or ""])[0]


def checked_applications(call: Call, principal: Principal, codes: list[str]) -> list[str]:
    """The codes, each once. Another account's application is as unknown as one that is nobody's."""
    owned = call.services.access.owners.owners_of("application", codes)
    for code in codes:
        if owned.get(code) != principal.account.id:
            raise Fault(CHOICES.application_not_found)
    if not all(may_use(principal, code) for code in codes):
        raise Restricted
    return list(dict.fromkeys(codes))


def may_use(principal: Principal, code: str) -> bool:
    """A token that names no applications may use all of its account."""
    allowed = principal.details.get("applications", ())
    return not allowed or code in allowed
