"""Users of an account, and the audit trail of who changed what."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.accounts.permissions import UserRole
from airtally.console.declared import console_form, console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit

_ROLES = (
    (UserRole.VIEWER, "viewer: reads the account"),
    (UserRole.ADMIN, "admin: everything in the account"),
    (UserRole.OPERATOR, "operator: everything on this server"),
)


class UserPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/users")
    def users(self, visit: Visit) -> View:
        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_users", query={"cursor": cursor, "limit": limit})

        columns = (
            TableColumn("User", lambda each: each.username, link=lambda each: visit.path(f"/users/{each.username}")),
            TableColumn("Name", lambda each: each.name),
            TableColumn("E-mail", lambda each: each.email),
            TableColumn("Role", lambda each: each.role),
            TableColumn("Group", lambda each: each.group),
        )
        listed = table_of(visit, "users", columns, read, "There is no user yet. Make the first one below.")
        return view("users.html", users=listed, roles=_roles(visit))

    @console_form("/users", again="users")
    def make_user(self, visit: Visit) -> Moved:
        form = visit.form
        fields = {name: form.get(name, "").strip() for name in ("username", "name", "email")}
        body = {**fields, "password": form.get("password", ""), "group": form.text("group"), "role": form.text("role")}
        made = self._operations.call(visit, "create_user", body=body)
        return Moved(visit.path("/users"), f"{made.username} may log in now.")

    @console_page("/users/{username}")
    def user(self, visit: Visit) -> View:
        found = self._operations.call(visit, "get_user", path={"username": visit.name("username")})
        return view("user.html", person=found, roles=_roles(visit))

    @console_form("/users/{username}", again="user")
    def change_user_form(self, visit: Visit) -> Moved:
        username, form = visit.name("username"), visit.form
        body = {name: form.text(name) for name in ("name", "email", "role")}
        body["password"] = form.get("password") or None
        self._operations.call(visit, "change_user", path={"username": username}, body=body)
        return Moved(visit.path("/users"), f"{username} is changed.")

    @console_form("/users/{username}/delete", again="user")
    def delete_user_form(self, visit: Visit) -> Moved:
        username = visit.name("username")
        self._operations.call(visit, "delete_user", path={"username": username})
        return Moved(visit.path("/users"), f"{username} is deleted, and logged out everywhere.")

    @console_page("/audit")
    def audit(self, visit: Visit) -> View:
        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_audit_entries", query={"cursor": cursor, "limit": limit})

        columns = (
            TableColumn("When", lambda each: each.at, CellKind.TIME),
            TableColumn("Who", lambda each: f"{each.actor_kind} {each.actor}"),
            TableColumn("From", lambda each: each.address or None),
            TableColumn("What", lambda each: each.action),
            TableColumn("Of", lambda each: each.target),
            TableColumn("Details", lambda each: _detail_text(each.details), CellKind.CODE),
        )
        return view("audit.html", entries=table_of(visit, "audit", columns, read, "Nothing was changed yet."))


def _roles(visit: Visit) -> list[tuple[str, str]]:
    """Those that the visitor may give."""
    return [(role, words) for role, words in _ROLES if role is not UserRole.OPERATOR or visit.is_operator]


def _detail_text(details: Any) -> str | None:
    return msgspec.json.encode(details).decode() if details else None
