"""What a command calls: the native API of the server that `--url` names, or of this machine's home in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from airtally.cli.remote import is_remote, remote_client
from airtally.kit.errors import Failure, NotFound

if TYPE_CHECKING:
    from airtally.cli.home import OpenedHome
    from airtally.client.messages import ApiAnswer
    from airtally.client.threads import Client

_PREFIX = "/api/v1"


class CallFailed(Failure):
    """The server refused, or could not be reached. `answered` is the status of its answer, 0 without one."""

    status = 502
    code = "call_failed"

    def __init__(self, message: str, *, hint: str = "", answered: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.answered = answered


class ApiServer:
    """The operations of a server. Raises CallFailed."""

    def __init__(self, client: Client, home: OpenedHome | None = None, account: str | None = None) -> None:
        """Calls are about the `account`, else about that of the client."""
        self.client = client
        self._home = home
        self._about = {} if account is None else {"Airtally-Account": _checked_slug(account)}

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is another process, which has its own time."""
        return self._home is None

    def about(self, account: str) -> ApiServer:
        """The same server, with calls about this account. Raises NotFound for a slug that cannot be one."""
        return ApiServer(self.client, self._home, account)

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query=query).json()

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Sent again by the client if the connection breaks: the server acts once."""
        key = uuid4().hex if self.is_elsewhere else None
        return self.call("POST", path, json=dict(body or {}), idempotency_key=key).json()

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        return self.call("PUT", path, json=body).json()

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """What is None is left out: it stays as it is."""
        return self.call("PATCH", path, json=given(body)).json()

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path).json()

    def items(self, path: str, *, most: int | None = None, **query: Any) -> Iterator[dict[str, Any]]:
        """A listing, page by page: all of it, or at most so many."""
        cursor: str | None = None
        while most is None or most > 0:
            limit = 1000 if most is None else min(most, 1000)
            page = self.get(path, **query | {"limit": limit, "cursor": cursor})
            yield from page["items"]
            cursor, most = page["next"], None if most is None else most - len(page["items"])
            if cursor is None:
                return

    def of_accounts(self, account: str | None) -> Iterator[tuple[str, ApiServer]]:
        """The account, or each that the caller sees, with the server's operations about it."""
        slugs = [each["slug"] for each in self.items("/accounts")] if account is None else [account]
        for slug in slugs:
            yield slug, self.about(slug)

    def where_found(self, account: str | None, ask: Callable[[ApiServer], Any]) -> tuple[str, Any]:
        """The account that has what is asked for, and the answer. Raises CallFailed where none has."""
        missing: CallFailed | None = None
        for slug, owner in self.of_accounts(account):
            try:
                return slug, ask(owner)
            except CallFailed as failed:
                if failed.answered != 404:
                    raise
                missing = failed
        raise missing or NotFound("There is no account yet")

    def fetch(self, url: str, path: Path, *, size: int, sha256: str) -> None:
        """A file of the server, checked by its size and hash."""
        with failures_of_calls():
            self.client.fetch(url, path, size=size, sha256=sha256)

    @contextmanager
    def exporting(self) -> Iterator[None]:
        """Exports are worked on meanwhile: by the server, or by this process beside running servers."""
        if self._home is None:
            yield
            return
        with self._home.exporting():
            yield

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Reports are worked on meanwhile, likewise."""
        if self._home is None:
            yield
            return
        with self._home.reporting():
            yield

    def erase_now(self, erasure: int) -> None:
        """One attempt in this process, unless that is the server's work or another process is at it."""
        if self._home is not None:
            self._home.erase_now(erasure)

    def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> ApiAnswer:
        """Any call; `path` is below `/api/v1`."""
        with failures_of_calls():
            return self.client.request(method, _PREFIX + path, headers=self._about | dict(headers or {}), **options)


@contextmanager
def server(account: str | None = None, *, takes_rows: bool = False) -> Iterator[ApiServer]:
    """The server of `--url`, else the home of this machine, which is opened and closed.

    Calls are about the account; None for that of the token. `takes_rows`: the home is opened with a buffer, as erasing
    in this process needs it. Raises BadRequest for an address without a token, NotFound for a slug that cannot be one.
    """
    slug = None if account is None else _checked_slug(account)
    if is_remote():
        with remote_client(slug) as client:
            yield ApiServer(client)
        return
    from airtally.cli.home import opened_home  # noqa: PLC0415 (remote commands do not load the server)

    with opened_home(slug, takes_rows=takes_rows) as home:
        yield ApiServer(home.client, home)


def _checked_slug(slug: str) -> str:
    """Fit for a header."""
    if not slug or not slug.isascii() or not slug.isprintable():
        raise NotFound(f"There is no account {slug[:64]!r}")
    return slug


def quoted(name: object) -> str:
    """A name or an id as a part of a path."""
    return quote(str(name), safe="")


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without those that are None."""
    return {name: value for name, value in fields.items() if value is not None}


@contextmanager
def failures_of_calls() -> Iterator[None]:
    """The client's errors as failures of the command."""
    from airtally.client.errors import AirtallyError, ApiError  # noqa: PLC0415 (loaded when something is called)

    try:
        yield
    except ApiError as error:
        raise CallFailed(error.detail, hint=error.hint, answered=error.status) from None
    except AirtallyError as error:
        raise CallFailed(str(error)) from None
