"""Commands on another machine's server: `airtally --url https://… --token … COMMAND`."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airtally.kit.errors import BadRequest

if TYPE_CHECKING:
    from airtally.client.threads import Client

URL, TOKEN = "AIRTALLY_URL", "AIRTALLY_TOKEN"
#: Options before the command, with the variables that they set.
FLAGS = {"--url": URL, "--token": TOKEN}
#: In the place of the token of a user who logs in.
NOT_YET = "none"
#: Seconds for which a call is tried again while the server is busy or away.
_PATIENCE = 5.0


def is_remote() -> bool:
    """Whether the command is for another server."""
    return bool(os.environ.get(URL))


def server_address() -> str:
    """Of the server that the command is for, without a slash at the end."""
    return os.environ[URL].rstrip("/")


def remote_client(account: str | None = None, token: str | None = None) -> Client:
    """A client of the server that `--url` names, with this token or that of `--token`, about an account.

    Raises BadRequest without a token, and for an address that cannot be used.
    """
    from airtally.client.retry import RetryRules  # noqa: PLC0415 (only commands that call a server load it)
    from airtally.client.threads import Client  # noqa: PLC0415

    token = os.environ.get(TOKEN, "") if token is None else token
    if not token:
        raise BadRequest(
            f"A server is named, but no token ({TOKEN} or --token)",
            hint="`airtally --url URL user token --username NAME` makes one",
        )
    try:
        return Client(os.environ[URL], token, retry=RetryRules(read_patience=_PATIENCE), account=account)
    except ValueError as error:
        raise BadRequest(f"The server cannot be used: {error}") from None


def basic_login(username: str, password: str) -> Mapping[str, Any]:
    """The header by which a user logs in. Raises BadRequest without a server that `--url` names."""
    if not is_remote():
        raise BadRequest(
            f"No server is named (--url or {URL})", hint="`airtally key create` makes keys on this machine"
        )
    return {"Authorization": "Basic " + b64encode(f"{username}:{password}".encode()).decode()}


def refuse_remote() -> None:
    """Raises BadRequest where another server is named: for commands that work on this machine's home alone."""
    if is_remote():
        raise BadRequest(
            f"This command works on the home of this machine only, not on {os.environ[URL]}",
            hint=f"Leave out --url (and {URL}), or run it there",
        )
