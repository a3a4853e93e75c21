"""`airtally user`: people who may open an account's pages."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Any

from cyclopts import App, Parameter

from airtally.accounts.permissions import Permission, UserRole
from airtally.cli.common import AccountSlug, AnyAccountSlug, Json, command
from airtally.cli.output import print_listing, print_made, to_second
from airtally.cli.remote import NOT_YET, basic_login, remote_client, server_address
from airtally.cli.server import ApiServer, quoted, server
from airtally.kit.errors import BadRequest
from airtally.settings import Settings
from airtally.web.listened import Listened

app = App(name="user", help="Create and list users: people who may open an account's pages.")

PasswordStdin = Annotated[
    bool, Parameter(name="--password-stdin", negative=(), help="Read the password from standard input.")
]
Role = Annotated[UserRole, Parameter(help="What the user may do: read, everything in the account, or everything.")]
_COLUMNS = ("id", "account", "username", "name", "email", "group", "role")


@app.command
@command
def create(
    *,
    account: AccountSlug,
    username: str,
    email: str,
    name: str,
    group: str | None = None,
    role: Role = UserRole.VIEWER,
    password_stdin: PasswordStdin = False,
    as_json: Json = False,
) -> None:
    """Create a user; the password is asked for, or read from standard input."""
    entered = _password(from_stdin=password_stdin)
    asked: dict[str, Any] = {"username": username, "name": name, "email": email, "group": group, "role": role}
    with server(account) as api:
        made = api.post("/users", asked | {"password": entered})
    print_made(made, as_json=as_json)


@app.command(name="list")
@command
def list_(*, account: AnyAccountSlug = None, as_json: Json = False) -> None:
    """Show the users."""
    with server() as api:
        found = [user for _, owner in api.of_accounts(account) for user in owner.items("/users")]
    print_listing(found, _COLUMNS, as_json=as_json)


@app.command
@command
def password(*, username: str, password_stdin: PasswordStdin = False) -> None:
    """Change a user's password; ends the user's sessions."""
    entered = _password(from_stdin=password_stdin)
    with server() as api:
        api.patch(f"/users/{quoted(username)}", {"password": entered})


@app.command
@command
def change(*, username: str, name: str | None = None, email: str | None = None, role: Role | None = None) -> None:
    """Change a user's name, e-mail address or role; a new role counts within a second."""
    with server() as api:
        api.patch(f"/users/{quoted(username)}", {"name": name, "email": email, "role": role})


@app.command
@command
def delete(*, username: str) -> None:
    """Delete a user; ends the user's sessions and tokens."""
    with server() as api:
        api.delete(f"/users/{quoted(username)}")


@app.command
@command
def sign_in_link(username: str, *, as_json: Json = False) -> None:
    """Print a link that signs the user in, once, within a day: for somebody who cannot log in."""
    with server() as api:
        made = api.post(f"/users/{quoted(username)}/sign-in-link")
        address = server_address() if api.is_elsewhere else _address_of_home()
    print_made({"url": address + made["path"], "expires_at": to_second(made["expires_at"])}, as_json=as_json)


@app.command
@command
def token(
    *,
    username: str,
    scope: Annotated[
        tuple[Permission, ...],
        Parameter(help="What the token may do; if not given, all that the user may.", negative=()),
    ] = (),
    days: Annotated[int, Parameter(help="How long it works.")] = 30,
    password_stdin: PasswordStdin = False,
    as_json: Json = False,
) -> None:
    """Log in to the server that `--url` names, and print a token for further commands."""
    login = basic_login(username, _password(from_stdin=password_stdin))
    with remote_client(token=NOT_YET) as client:
        asked = {"scopes": list(scope), "days": days}
        made = ApiServer(client).call("POST", "/tokens", login, json=asked).json()
    print_made(made, as_json=as_json)


def _address_of_home() -> str:
    settings = Settings.from_env()
    return Listened.address_of(settings.home, settings.public_url)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise BadRequest("There is no terminal to ask for a password", hint="Give it with --password-stdin")
    entered = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != entered:
        raise BadRequest("The two passwords differ")
    return entered
