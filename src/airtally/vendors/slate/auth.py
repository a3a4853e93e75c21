"""Who calls: the account behind the access token.

docs/vendors/slate.md#3.
"""

from __future__ import annotations

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from airtally.accounts.accounts import Account
from airtally.kit.bearer import bearer_token
from airtally.kit.errors import Unauthorized
from airtally.vendors.slate.choices import CHOICES
from airtally.vendors.vendor_api import Here
from airtally.web.callers import bearer_of
from airtally.web.requests import AnyRequest, note_account

Caller = NamedDependency[SkipValidation[Account]]

#: For whoever looks at the caller before the body is read.
presented = bearer_of("slate", "access")


#: In the state of an admitted request: what `offset` counts for its key.
OFFSET_MODE = "offset_mode"


def admitted(request: AnyRequest, services: Here) -> Account:
    """Raises Unauthorized; reads the store."""
    token = bearer_token(request.headers.get("authorization", ""))
    principal = services.access.keys.authenticate_token("slate", "access", token) if token else None
    if principal is None:
        raise Unauthorized(CHOICES.unauthorized)
    note_account(request, principal.account.slug)
    request.scope["state"][OFFSET_MODE] = principal.details.get(OFFSET_MODE, services.settings.slate_offset_mode)
    return principal.account
