"""`/api/v1/connections`: what clients of each API need, a program that calls this server, and a call to try."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.accounts.kinds import KINDS
from airtally.accounts.permissions import Permission
from airtally.api.connections import CONNECTIONS
from airtally.api.operation import NoFields, OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage
from airtally.connect.account_view import AccountView
from airtally.connect.checklist import ChecklistItem, ConnectionState, DeclaredField, DeclaringCall, state_of
from airtally.connect.connection import ApiConnection, undeclared
from airtally.connect.exchange import Exchange
from airtally.connect.programs import Program, rendered
from airtally.connect.trial import tried
from airtally.kit.errors import Conflict, NotFound, TimedOut, TooManyRequests, Unavailable
from airtally.services import Services
from airtally.web.listened import Listened

#: Where `airtally serve` listens unless it is told otherwise.
_SERVED_AT = "http://127.0.0.1:8080"
_NAMES = tuple(CONNECTIONS)
_PATH_VALUES = {"connection": _NAMES}


class ConnectionSummary(msgspec.Struct, frozen=True):
    """`base_url` takes the place of `replaces` in the client; empty for the native API. `missing`: what is to be declared."""

    name: str
    title: str
    state: ConnectionState
    base_url: str
    replaces: str
    missing: list[str]


class NeededThing(msgspec.Struct, frozen=True):
    """An item of a check-list. `needed`: no call works without it. `count` is a minimum where `more` is true.

    `names`: some of what is there. `command` and `call` declare it: in the call `{field}` stands for a field's value,
    in the path written as keys of records are.
    """

    id: str
    title: str
    why: str
    needed: bool
    there: bool
    count: int
    more: bool
    names: tuple[str, ...]
    command: str
    call: DeclaringCall
    fields: tuple[DeclaredField, ...]


class KeyFields(msgspec.Struct, frozen=True):
    """The fields of a key that a client has already, as `imported` of `POST /keys` takes them.

    `together`: all of them or none. `command` imports a key from a file.
    """

    kind: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    together: tuple[str, ...]
    command: str


class ConnectionAnswer(msgspec.Struct, frozen=True):
    """`placeholders`: texts of the programs that stand for fields of a key. `undeclared`: those that stand for things
    that are missing. `guide`: the page about moving a client.
    """

    name: str
    title: str
    state: ConnectionState
    base_url: str
    replaces: str
    guide: str
    items: list[NeededThing]
    keys: list[KeyFields]
    programs: list[Program]
    placeholders: dict[str, str]
    undeclared: list[str]


class TriedCall(msgspec.Struct, forbid_unknown_fields=True):
    """`credentials`: a key that exists, by its fields; without it one is made for the call and deleted."""

    credentials: dict[str, str | int] | None = None


class TriedAnswer(msgspec.Struct, frozen=True):
    """`status`, `headers` and `body` are those of the last answer. Secrets are shown as •••, bodies up to 64 KiB."""

    status: int
    headers: dict[str, str]
    body: str
    exchanges: list[Exchange]


_EXAMPLE_ANSWER = {
    "status": 200,
    "headers": {"content-type": "application/json"},
    "body": "…",
    "exchanges": [],
}


class ConnectionResource:
    def __init__(self, services: Services) -> None:
        self._services = services

    @operation("GET", "/connections", Permission.READ, "List the APIs that clients connect to")
    def list_connections(self, call: PlainCall) -> ListingPage[ConnectionSummary]:
        """With what of it the account has declared."""
        view = AccountView(self._services, call.account)
        return ListingPage([self._summary(each, view) for each in CONNECTIONS.values()], None)

    @operation(
        *("GET", "/connections/{connection}", Permission.READ, "What clients of an API need"),
        failures=(NotFound,),
        path_values=_PATH_VALUES,
    )
    def get_connection(self, call: PlainCall) -> ConnectionAnswer:
        """A check-list of what must be declared, and programs that call this server, with the account's values."""
        connection, view = _connection_named(call), AccountView(self._services, call.account)
        items, values = connection.items(view), connection.values(view)
        placeholders = {f"YOUR_{field.upper()}": field for field in connection.secrets().values()}
        secrets = {name: f"YOUR_{field.upper()}" for name, field in connection.secrets().items()}
        return ConnectionAnswer(
            name=connection.name,
            title=connection.title,
            state=state_of(items),
            base_url=self._base_url(connection),
            replaces=connection.replaces,
            guide=connection.guide,
            items=[_needed(each) for each in items],
            keys=[_key_fields(kind, call.account.slug) for kind in connection.key_kinds],
            programs=rendered(connection.name, values | secrets | self._addresses(connection)),
            placeholders=placeholders,
            undeclared=undeclared(values),
        )

    @operation(
        *("POST", "/connections/{connection}/try", Permission.ADMIN, "Make a client's call"),
        failures=(NotFound, Conflict, TooManyRequests, TimedOut, Unavailable),
        answer_example=_EXAMPLE_ANSWER,
        repeatable=False,
        path_values=_PATH_VALUES,
    )
    def try_connection(self, call: OperationCall[NoFields, TriedCall]) -> TriedAnswer:
        """Against this very server. Some calls do something: that of `fouryousee` asks for a report."""
        connection, view = _connection_named(call), AccountView(self._services, call.account)
        found = tried(connection, view, call.request, call.body.credentials)
        last = found[-1]
        return TriedAnswer(last.status, last.headers, last.body, found)

    def _summary(self, connection: ApiConnection, view: AccountView) -> ConnectionSummary:
        items = connection.items(view)
        missing = [each.title for each in items if each.needed and not each.there]
        return ConnectionSummary(
            *(connection.name, connection.title, state_of(items), self._base_url(connection)),
            *(connection.replaces, missing),
        )

    def _base_url(self, connection: ApiConnection) -> str:
        return self._server_url() + connection.base_path

    def _addresses(self, connection: ApiConnection) -> dict[str, Any]:
        server = self._server_url()
        return {"server_url": server, "base_url": self._base_url(connection), "token_url": f"{server}/auth/o2/token"}

    def _server_url(self) -> str:
        """A command that is no server names the address where its home was served last."""
        settings = self._services.settings
        if settings.public_url:
            return settings.public_url.rstrip("/")
        last = Listened.last(settings.home)
        return _SERVED_AT if last is None else last.url.rstrip("/")


def _connection_named(call: OperationCall[Any, Any]) -> ApiConnection:
    """The API in the path. Raises NotFound."""
    name = call.text("connection")
    if name not in CONNECTIONS:
        raise NotFound(f"There is no API {name[:64]!r}", hint="The APIs are: " + ", ".join(CONNECTIONS))
    return CONNECTIONS[name]


def _needed(item: ChecklistItem) -> NeededThing:
    return NeededThing(**{name: getattr(item, name) for name in NeededThing.__struct_fields__})


def _key_fields(kind: str, slug: str) -> KeyFields:
    of = KINDS[kind]
    return KeyFields(
        kind=kind,
        required=tuple(sorted(set(of.fields) - of.optional)),
        optional=tuple(sorted(of.optional | of.extra | ({"cdn"} if of.has_cdn else set()))),
        together=of.together,
        command=f"airtally key create --account {slug} --for {kind} --import key.json",
    )
