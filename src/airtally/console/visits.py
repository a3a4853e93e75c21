"""A request of somebody who is logged in: who it is, what they may, which account and page they look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, urlencode

from airtally.accounts.accounts import Account
from airtally.accounts.permissions import Permission, of_role
from airtally.accounts.principal import Principal
from airtally.accounts.sessions import Session
from airtally.accounts.users import User
from airtally.console.forms import FormFields, read_form
from airtally.kit.errors import Failure
from airtally.web.requests import AnyRequest

#: Stands for the key of a session, which has none.
_NO_KEY = 0


@dataclass(frozen=True)
class Visit:
    """`account` is that of the path, which the user may see; their own on pages that are about none.

    `form` has what was sent, `failure` why it was refused: both are shown by the page on which it was filled in, whose
    path `shown_at` is then.
    """

    request: AnyRequest
    session: Session
    account: Account
    now_us: int
    form: FormFields = field(default_factory=FormFields)
    failure: Failure | None = None
    shown_at: str | None = None

    @property
    def user(self) -> User:
        return self.session.user

    @cached_property
    def principal(self) -> Principal:
        return principal_of(self.user)

    @property
    def is_operator(self) -> bool:
        return self.may(Permission.OPERATOR)

    @property
    def wants_fragment(self) -> bool:
        """Whether htmx asks, which shows a part of the page alone."""
        headers = self.request.headers
        whole = "hx-boosted" in headers or "hx-history-restore-request" in headers
        return headers.get("hx-request") == "true" and not whole

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The fields of the query string; of a repeated one the last."""
        return dict(self.request.query_params.items())

    @cached_property
    def fields(self) -> FormFields:
        """The fields of the query string, repeated ones too. Raises BadRequest for too many, or what is not UTF-8."""
        return read_form("application/x-www-form-urlencoded", self.request.scope["query_string"])

    def may(self, permission: str) -> bool:
        return permission in self.principal.scopes

    def name(self, parameter: str) -> str:
        """A parameter of the path."""
        return str(self.request.path_params[parameter])

    def path(self, page: str, **query: object) -> str:
        """The path of a page of the account, such as `/reports`."""
        given = {name: value for name, value in query.items() if value not in {None, ""}}
        return f"/accounts/{quote(self.account.slug)}{page}" + (f"?{urlencode(given)}" if given else "")

    def link(self, **changes: object) -> str:
        """The page with other fields in its query string; None takes a field out."""
        fields = {**self.query, **changes}
        given = {name: value for name, value in fields.items() if value not in {None, ""}}
        return (self.shown_at or self.request.url.path) + (f"?{urlencode(given)}" if given else "")


def principal_of(user: User) -> Principal:
    """What the native API sees of a logged-in user: the same as with the user's token."""
    return Principal(user.account, _NO_KEY, "native", of_role(user.role), {}, user=user.username)
