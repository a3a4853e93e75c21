"""A call of a client, made against this very server."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from airtally.accounts.kinds import Credentials, kind_of
from airtally.connect.account_view import AccountView
from airtally.connect.connection import ApiConnection, undeclared
from airtally.connect.exchange import MOST_BYTES, MOST_SECONDS, ClientRequest, Exchange, ServerAnswer, exchanged
from airtally.kit.errors import Conflict, TooManyRequests, Unavailable
from airtally.web.requests import AnyRequest
from airtally.web.within import server_of

#: Each holds a worker thread, and its calls need others.
_MOST_AT_ONCE = 2
_at_once = threading.BoundedSemaphore(_MOST_AT_ONCE)


def tried(
    connection: ApiConnection, view: AccountView, request: AnyRequest, given: Credentials | None
) -> list[Exchange]:
    """The client's calls and their answers, with the `given` key, else with one that exists only meanwhile. Blocks.

    `request` is the one that asks for it: the calls are made to the server that answers it, from its client's address.
    Raises BadRequest for a given key that is none, Conflict where something is to be declared first, Unavailable in a command's own process, TooManyRequests.
    """
    values = connection.values(view)
    if missing := undeclared(values):
        raise Conflict(f"The call needs {', '.join(missing)}", hint="Declare what the check-list says is missing")
    within = server_of(request)
    if within is None:
        raise Unavailable("Only a running server can try a call", hint="Name one: airtally --url URL …")

    def send(asked: ClientRequest) -> ServerAnswer:
        made = asked.method, asked.path, asked.headers, asked.body
        found = within.call(request, *made, most_bytes=MOST_BYTES, seconds=MOST_SECONDS)
        return ServerAnswer(found.status, tuple(found.headers), found.body, found.size == len(found.body))

    with _turn(), _credentials(connection, view, given) as credentials:
        return exchanged(connection.calls(values, credentials), send, _secret_values(connection, credentials))


@contextmanager
def _turn() -> Iterator[None]:
    if not _at_once.acquire(blocking=False):
        raise TooManyRequests("Other calls are being tried at this moment", hint="Try again in a few seconds")
    try:
        yield
    finally:
        _at_once.release()


@contextmanager
def _credentials(connection: ApiConnection, view: AccountView, given: Credentials | None) -> Iterator[Credentials]:
    if given is not None:
        kind_of(connection.key_kinds[0]).check(given)
        yield given
        return
    keys = view.services.access.keys
    with keys.lent(view.account, connection.key_kinds[0], connection.key_options) as credentials:
        yield credentials


def _secret_values(connection: ApiConnection, credentials: Mapping[str, str | int]) -> list[str]:
    """What is never shown of a key: neither what was made for the call nor what the caller has given."""
    names = {*connection.secrets().values(), "access_token"}
    return [str(credentials[name]) for name in names if credentials.get(name)]
