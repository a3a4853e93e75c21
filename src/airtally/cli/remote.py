"""Commands on another machine's server: `airtally --url https://… --token … COMMAND`, by its native API."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airtally.kit.errors import BadRequest, Failure

if TYPE_CHECKING:
    from airtally.client.threads import Client

URL, TOKEN = "AIRTALLY_URL", "AIRTALLY_TOKEN"
#: Options before the command, with the variables that they set.
FLAGS = {"--url": URL, "--token": TOKEN}
_PREFIX = "/api/v1"


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

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Sent again by the client if the connection breaks: the server acts once."""
        return self._call("POST", path, json={} if body is None else body, idempotency_key=uuid4().hex)

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

    def of(self, account: str) -> Remote:
        """The same server, about another account."""
        return Remote(self._client, account)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        from airtally.client.errors import AirtallyError, ApiError  # noqa: PLC0415 (only remote commands load it)

        headers = {} if self._account is None else {"Airtally-Account": self._account}
        try:
            return self._client.request(method, _PREFIX + path, headers=headers, **options).json()
        except ApiError as error:
            raise RemoteFailed(error.detail, hint=error.hint) from None
        except AirtallyError as error:
            raise RemoteFailed(str(error)) from None


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
    from airtally.client.threads import Client  # noqa: PLC0415 (only remote commands load it)

    token = os.environ.get(TOKEN, "")
    if not token:
        raise BadRequest(
            f"A server is named, but no token ({TOKEN} or --token)",
            hint="`airtally --url URL user token --username NAME` makes one",
        )
    try:
        client = Client(os.environ[URL], token)
    except ValueError as error:
        raise BadRequest(f"The server cannot be used: {error}") from None
    with client:
        yield Remote(client, account)


def refuse_remote() -> None:
    """Raises BadRequest where another server is named: for commands that work on this machine's home alone."""
    if is_remote():
        raise BadRequest(
            f"This command works on the home of this machine only, not on {os.environ[URL]}",
            hint=f"Leave out --url (and {URL}), or run it there",
        )
