"""`/api/v1/users`: people who log in, and what each may do."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.accounts.access import HasAccess
from airtally.accounts.permissions import Permission, UserRole
from airtally.accounts.users import User, UserReach
from airtally.api.operation import NoFields, OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.kit.errors import Conflict, Forbidden, NotFound

_PERSON = {"username": "ana", "name": "Ana Souza", "email": "ana@example.org"}
_EXAMPLE = {"id": 1, "account": "acme"} | _PERSON | {"group": "Administrators", "role": "viewer"}


class UserAnswer(msgspec.Struct, frozen=True):
    """`role`: viewer, admin or operator. `group`: what 4YouSee's API shows."""

    id: int
    account: str
    username: str
    name: str
    email: str
    group: str
    role: str


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    username: str
    name: str
    email: str
    password: str
    group: str | None = None
    role: UserRole = UserRole.VIEWER


class UserChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is left out stays. A new password ends the user's sessions and tokens."""

    name: str | None = None
    email: str | None = None
    role: UserRole | None = None
    password: str | None = None


class SignInLinkAnswer(msgspec.Struct, frozen=True):
    """`path` is below the server's address; whoever opens it first is signed in as the user, once."""

    path: str
    expires_at: str


class UserResource:
    def __init__(self, services: HasAccess) -> None:
        self._users = services.access.users
        self._links = services.access.links
        self._keys = services.access.keys

    @operation(
        *("GET", "/users", Permission.ADMIN, "List users"),
        answer_example={"items": [_EXAMPLE], "next": None},
        of_closed=True,
    )
    def list_users(self, call: OperationCall[PageQuery, None]) -> ListingPage[UserAnswer]:
        """Those of the account, oldest first."""
        found = self._users.all(call.account, after=call.query.position or 0, limit=call.query.limit + 1)
        return page_of(found, call.query.limit, _user_answer, lambda each: each.id)

    @operation(
        *("POST", "/users", Permission.ADMIN, "Create a user"),
        status=201,
        failures=(Conflict,),
        example=_PERSON | {"password": "correct horse battery"},
        answer_example=_EXAMPLE,
    )
    def create_user(self, call: OperationCall[NoFields, NewUser]) -> UserAnswer:
        """The name is unique on the server. Only operators make operators."""
        _check_role(call, call.body.role)
        return _user_answer(self._users.create(call.account, **msgspec.structs.asdict(call.body)))

    @operation(
        *("GET", "/users/{username}", Permission.ADMIN, "Get a user"),
        failures=(NotFound,),
        answer_example=_EXAMPLE,
    )
    def get_user(self, call: PlainCall) -> UserAnswer:
        return _user_answer(self._named(call))

    @operation(
        *("PATCH", "/users/{username}", Permission.ADMIN, "Change a user"),
        failures=(NotFound,),
        example={"role": "admin"},
        answer_example=_EXAMPLE | {"role": "admin"},
    )
    def change_user(self, call: OperationCall[NoFields, UserChange]) -> UserAnswer:
        """Only operators change operators."""
        _check_role(call, call.body.role)
        given = msgspec.structs.asdict(call.body)
        self._users.change(call.text("username"), **given, reach=_reach(call))
        self._keys.forget()
        return _user_answer(self._named(call))

    @operation("DELETE", "/users/{username}", Permission.ADMIN, "Delete a user", status=204, failures=(NotFound,))
    def delete_user(self, call: PlainCall) -> None:
        """Ends the user's sessions and tokens at once. Only operators delete operators."""
        self._users.delete(call.text("username"), reach=_reach(call))
        self._keys.forget()

    @operation(
        *("POST", "/users/{username}/sign-in-link", Permission.OPERATOR, "Make a link that signs a user in"),
        status=201,
        failures=(NotFound,),
        answer_example={"path": "/sign-in?token=…", "expires_at": "2026-11-03T09:15:00.000000Z"},
        repeatable=False,
    )
    def create_sign_in_link(self, call: PlainCall) -> SignInLinkAnswer:
        """For somebody who cannot log in. It works once, for a day, and replaces the user's earlier one."""
        link = self._links.make_sign_in_link(self._named(call))
        return SignInLinkAnswer(link.path, shown_moment(link.expires_at))

    def _named(self, call: OperationCall[Any, Any]) -> User:
        user = self._users.by_name(call.text("username"))
        if not call.may(Permission.OPERATOR) and user.account.id != call.account.id:
            raise NotFound(f"There is no user {user.username!r}", hint="`airtally user list` shows them")
        return user


def _reach(call: OperationCall[Any, Any]) -> UserReach:
    operator = call.may(Permission.OPERATOR)
    return UserReach(None if operator else call.account.id, operators=operator)


def _check_role(call: OperationCall[Any, Any], role: str | None) -> None:
    """An admin who could make an operator, or set one's password, would be one. Raises Forbidden."""
    if role == UserRole.OPERATOR and not call.may(Permission.OPERATOR):
        raise Forbidden("Only operators make, change or delete operators")


def _user_answer(user: User) -> UserAnswer:
    return UserAnswer(user.id, user.account.slug, user.username, user.name, user.email, user.group_name, user.role)
