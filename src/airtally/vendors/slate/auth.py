"""Who calls: the account behind the access token.

Slate contract, section 2.4.
"""

from __future__ import annotations

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from airtally.accounts.accounts import Account
from airtally.kit.bearer import bearer_token
from airtally.kit.errors import Unauthorized
from airtally.runtime import Services
from airtally.vendors.slate.choices import CHOICES
from airtally.web.callers import Headers, Presented
from airtally.web.requests import AnyRequest

Here = NamedDependency[SkipValidation[Services]]
Caller = NamedDependency[SkipValidation[Account]]


#: In the state of an admitted request: what `offset` counts for its key.
OFFSET_MODE = "offset_mode"


def admitted(request: AnyRequest, services: Here) -> Account:
    """Raises Unauthorized; reads the store."""
    token = bearer_token(request.headers.get("authorization", ""))
    principal = services.keys.authenticate_token("slate", "access", token) if token else None
    if principal is None:
        raise Unauthorized(CHOICES.unauthorized)
    state = request.scope.setdefault("state", {})
    state["account"] = principal.account.slug
    state[OFFSET_MODE] = principal.details.get(OFFSET_MODE, services.settings.slate_offset_mode)
    return principal.account


def presented(headers: Headers) -> Presented | None:
    """The token, for whoever looks at it before the request is handled."""
    token = bearer_token(headers.get(b"authorization", b"").decode("latin-1"))
    return None if token is None else Presented("slate", token, "access")
