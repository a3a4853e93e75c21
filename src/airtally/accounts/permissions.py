"""What a caller of the native API may do: scopes of keys, roles of users, and the permissions that they give."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """What an operation of the native API asks for. `OPERATOR` is no scope of a key: it comes from a user's role."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    OPERATOR = "operator"


class UserRole(StrEnum):
    """`VIEWER` reads its account, `ADMIN` may do everything in it, `OPERATOR` everything in all accounts."""

    VIEWER = "viewer"
    ADMIN = "admin"
    OPERATOR = "operator"


#: The scopes that a key may have. One with `write` alone does nothing but write rows.
KEY_SCOPES = (Permission.READ, Permission.WRITE, Permission.ADMIN)

_OF_SCOPE = {
    Permission.READ: frozenset({Permission.READ}),
    Permission.WRITE: frozenset({Permission.WRITE}),
    Permission.ADMIN: frozenset(KEY_SCOPES),  # it could make itself a key with the others
}
_OF_ROLE = {
    UserRole.VIEWER: frozenset({Permission.READ}),
    UserRole.ADMIN: frozenset(KEY_SCOPES),
    UserRole.OPERATOR: frozenset(Permission),
}


def of_scopes(scopes: Iterable[str]) -> frozenset[Permission]:
    """What a key with these scopes may do."""
    return frozenset().union(*(_OF_SCOPE[Permission(scope)] for scope in scopes))


def of_role(role: str) -> frozenset[Permission]:
    """What a user with this role may do."""
    return _OF_ROLE[UserRole(role)]


def of_token(scopes: Iterable[str], role: str) -> frozenset[Permission]:
    """What a user's token may do: what the user may, narrowed to the token's scopes if it has any."""
    narrowed = of_scopes(scopes)
    return of_role(role) & narrowed if narrowed else of_role(role)
