"""The native API of this machine's home, served to the command that opened it and to nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx
from litestar import Litestar, Request, Response

from airtally.accounts.access import HasAccess
from airtally.accounts.accounts import Account, Accounts
from airtally.accounts.acting import Actor, command_actor
from airtally.accounts.permissions import Permission
from airtally.accounts.principal import Principal
from airtally.api.authorize import ACCOUNT_HEADER
from airtally.api.operation import PREFIX, Operation, OperationCall, operations_of
from airtally.api.problems import respond
from airtally.api.resources.accounts import AccountResource
from airtally.api.resources.audit import AuditResource
from airtally.api.resources.keys import KeyResource
from airtally.api.resources.users import UserResource
from airtally.api.serving import routes_of
from airtally.cli.in_process import InProcessTransport
from airtally.cli.metadata import opened_metadata
from airtally.client.retry import RetryRules
from airtally.client.threads import Client
from airtally.kit.errors import Failure
from airtally.kit.logs import log_failure
from airtally.web.failures import failure_of
from airtally.web.requests import AnyRequest

if TYPE_CHECKING:
    from airtally.erasure.worker import ErasureWorker
    from airtally.services import Background, Services

#: What fails here would fail again at once.
_ONCE = RetryRules(patience=0.0, read_patience=0.0)
#: Whose operations need the metadata alone.
_OF_PEOPLE = (AccountResource, UserResource, KeyResource, AuditResource)
_NOBODY = Account(0, "", "", "UTC", "USD", None)


@dataclass(frozen=True, slots=True)
class CommandPrincipal(Principal):
    """Whoever runs a command on the machine that has the home: it could change every file of it."""

    @property
    def actor(self) -> Actor:
        return command_actor()


class CommandCallers:
    """Every call is the command's, whatever its headers say. For an application that has no socket."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._principal = CommandPrincipal(_NOBODY, 0, "command", frozenset(Permission), {})

    def identified(self, request: AnyRequest, operation: Operation) -> OperationCall[Any, Any]:
        """About the account that the command names, or about none. Raises NotFound, or AccountClosed."""
        named, of_closed = request.headers.get(ACCOUNT_HEADER), operation.declared.of_closed
        chosen: Account | None = None
        if named:
            chosen = self._accounts.whether_open_or_not(named) if of_closed else self._accounts.by_slug(named)
        return OperationCall(request, self._principal, None, None, chosen)


class OpenedHome:
    """`client` calls the operations of the home. What the workers of a server do, this process can do beside them."""

    def __init__(self, client: Client, transport: HomeTransport) -> None:
        self.client = client
        self._transport = transport

    @contextmanager
    def exporting(self) -> Iterator[None]:
        """Exports are worked on meanwhile."""
        from airtally.background import export_work  # noqa: PLC0415 (as HomeTransport.services)

        services = self._transport.services
        with self._working([*export_work(services), services.privacy.account_export_worker()]):
            yield

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Reports are worked on meanwhile."""
        from airtally.background import report_builder_of  # noqa: PLC0415 (as HomeTransport.services)

        with self._working([report_builder_of(self._transport.services)]):
            yield

    @contextmanager
    def _working(self, workers: Sequence[Background]) -> Iterator[None]:
        self._release_gone()
        with ExitStack() as stopping:
            for each in workers:
                each.start()
                stopping.callback(each.stop)
            yield

    def erase_now(self, erasure: int) -> None:
        """One attempt on this thread; nothing where another process is at it."""
        self._eraser.run_now(erasure)

    @cached_property
    def _eraser(self) -> ErasureWorker:
        return self._release_gone().privacy.worker()

    def _release_gone(self) -> Services:
        """What a process had under way when it was killed can be gone on with."""
        services = self._transport.services
        services.jobs.release_gone(services.process.is_gone)
        return services


@contextmanager
def opened_home(account: str | None, *, takes_rows: bool) -> Iterator[OpenedHome]:
    """The home of the settings, closed at the end. `takes_rows`: with a buffer, which erasing in this process needs."""
    transport = HomeTransport(takes_rows=takes_rows)
    with Client("http://home", "command", transport=transport, retry=_ONCE, account=account) as client:
        yield OpenedHome(client, transport)


class HomeTransport(httpx.BaseTransport):
    """Opens what a call is about: accounts, keys and users need the metadata alone, and what the rest loads takes longer
    than such a command. Raises what opening raises.
    """

    def __init__(self, *, takes_rows: bool) -> None:
        self._takes_rows = takes_rows
        self._closing = ExitStack()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        called = (request.method, request.url.path)
        of_people = not self._takes_rows and any(_is_called(each, *called) for each in self._people.operations)
        transport = self._people_transport if of_people else self._whole_transport
        return transport.handle_request(request)

    def close(self) -> None:
        self._closing.close()

    @cached_property
    def services(self) -> Services:
        """All of the home."""
        from airtally.cli.services import opened_services  # noqa: PLC0415 (loaded by the commands that need it)
        from airtally.services import Role  # noqa: PLC0415

        return self._closing.enter_context(opened_services(Role.ROWS if self._takes_rows else Role.NONE))

    @cached_property
    def _people(self) -> CommandApplication:
        parts = self._closing.enter_context(opened_metadata())
        operations = [each for resource in _OF_PEOPLE for each in operations_of(resource(parts), "People")]
        return CommandApplication(operations, parts)

    @cached_property
    def _people_transport(self) -> InProcessTransport:
        return self._until_closed(self._people)

    @cached_property
    def _whole_transport(self) -> InProcessTransport:
        from airtally.api.native import native_operations  # noqa: PLC0415 (as `services`)

        return self._until_closed(CommandApplication(native_operations(self.services), self.services))

    def _until_closed(self, application: CommandApplication) -> InProcessTransport:
        transport = InProcessTransport(application)
        self._closing.callback(transport.close)
        return transport


class CommandApplication:
    """The operations without the checks of keys: whoever has this object may do everything.

    Routes are made of those that a call may be for: making all would take most of a short command's time.
    """

    def __init__(self, operations: Sequence[Operation], parts: HasAccess) -> None:
        self.operations = operations
        self._parts = parts
        self._sites: dict[str, Litestar] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        collection = _collection_of(scope["path"])
        site = self._sites.get(collection) or self._sites.setdefault(collection, self._site(collection))
        await site(scope, receive, send)

    def _site(self, collection: str) -> Litestar:
        operations = [each for each in self.operations if _collection_of(each.path) == collection]
        callers = CommandCallers(self._parts.access.accounts)
        return Litestar(
            route_handlers=[*routes_of(operations, self._parts, callers)],
            exception_handlers={Exception: _problem_of_error},
            openapi_config=None,
            request_max_body_size=None,
            logging_config=None,
        )


def _is_called(operation: Operation, method: str, path: str) -> bool:
    pattern = re.sub(r"\{\w+\}", "[^/]+", operation.path)
    return operation.declared.method == method and re.fullmatch(pattern, path) is not None


def _collection_of(path: str) -> str:
    """`keys` of `/api/v1/keys/7`."""
    return path.removeprefix(f"{PREFIX}/").partition("/")[0]


def _problem_of_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    failure: Failure = failure_of(error, request.method)
    if failure.status >= 500:
        log_failure(failure, request.scope["path"])
    return respond(failure, request)
