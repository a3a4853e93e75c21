"""Commands on another machine's server: `airtally --url https://… --token … COMMAND`, by its native API."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from airtally.kit.errors import BadRequest, Failure

if TYPE_CHECKING:
    from airtally.client.threads import Client

URL, TOKEN = "AIRTALLY_URL", "AIRTALLY_TOKEN"
#: Options before the command, with the variables that they set.
FLAGS = {"--url": URL, "--token": TOKEN}
_PREFIX = "/api/v1"
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class RemoteFailed(Failure):
    """The server refused, or could not be reached."""

    status = 502
    code = "remote_failed"


class Remote:
    """The operations of a server, about one account; None for the token's own. Raises RemoteFailed."""

    def __init__(self, client: Client, account: str | None) -> None:
        self._client = client
        self._account = account

    def get(self, path: str, **query: Any) -> Any:
        return self._call("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> Any:
        """Sent again by the client if the connection breaks: the server acts once."""
        asked = {} if body is None else body
        return self._call("POST", path, headers=headers, json=asked, idempotency_key=uuid4().hex)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._call("PUT", path, json=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._call("PATCH", path, json=body)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def items(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All of a listing, page by page."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query | {"limit": 1000, "cursor": cursor})
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def items_of(self, path: str, account: str | None) -> Iterator[dict[str, Any]]:
        """A listing of the account, or of all that the token's user sees."""
        slugs = [each["slug"] for each in self.items("/accounts")] if account is None else [account]
        for slug in slugs:
            yield from Remote(self._client, slug).items(path)

    def _call(self, method: str, path: str, headers: Mapping[str, str] = _NO_HEADERS, **options: Any) -> Any:
        from airtally.client.errors import AirtallyError, ApiError  # noqa: PLC0415 (only remote commands load it)

        about = {} if self._account is None else {"Airtally-Account": self._account}
        try:
            return self._client.request(method, _PREFIX + path, headers=about | dict(headers), **options).json()
        except ApiError as error:
            raise RemoteFailed(error.detail, hint=error.hint) from None
        except AirtallyError as error:
            raise RemoteFailed(str(error)) from None


def quoted(name: object) -> str:
    """A name or an id as a part of a path."""
    return quote(str(name), safe="")


def log_in(username: str, password: str, asked: Mapping[str, Any]) -> Any:
    """A new token of the user, from the server that `--url` names. Raises BadRequest without one, and RemoteFailed."""
    if not is_remote():
        raise BadRequest(
            f"No server is named (--url or {URL})", hint="`airtally key create` makes keys on this machine"
        )
    basic = b64encode(f"{username}:{password}".encode()).decode()
    with _client("none") as client:
        return Remote(client, None).post("/tokens", asked, Authorization=f"Basic {basic}")


def is_remote() -> bool:
    """Whether the command is for another server."""
    return bool(os.environ.get(URL))


@contextmanager
def remote(account: str | None = None) -> Iterator[Remote | None]:
    """The server that `--url` names, None without one: the command is for this machine.

    Raises BadRequest without a token.
    """
    if not is_remote():
        yield None
        return
    token = os.environ.get(TOKEN, "")
    if not token:
        raise BadRequest(
            f"A server is named, but no token ({TOKEN} or --token)",
            hint="`airtally --url URL user token --username NAME` makes one",
        )
    with _client(token) as client:
        yield Remote(client, account)


def _client(token: str) -> Client:
    from airtally.client.threads import Client  # noqa: PLC0415 (only remote commands load it)

    try:
        return Client(os.environ[URL], token)
    except ValueError as error:
        raise BadRequest(f"The server cannot be used: {error}") from None


def refuse_remote() -> None:
    """Raises BadRequest where another server is named: for commands that work on this machine's home alone."""
    if is_remote():
        raise BadRequest(
            f"This command works on the home of this machine only, not on {os.environ[URL]}",
            hint=f"Leave out --url (and {URL}), or run it there",
        )
