"""The native API of this machine's home, served to the command that opened it and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from litestar import Litestar, Request, Response

from airtally.accounts.accounts import Account, Accounts
from airtally.accounts.acting import Actor, command_actor
from airtally.accounts.permissions import Permission
from airtally.accounts.principal import Principal
from airtally.api.authorize import ACCOUNT_HEADER
from airtally.api.native import native_operations
from airtally.api.operation import PREFIX, Operation, OperationCall
from airtally.api.problems import respond
from airtally.api.serving import routes_of
from airtally.background import export_work, report_builder_of
from airtally.cli.in_process import InProcessTransport
from airtally.cli.services import opened_services
from airtally.client.retry import RetryRules
from airtally.client.threads import Client
from airtally.erasure.worker import ErasureWorker
from airtally.kit.errors import Failure
from airtally.kit.logs import log_failure
from airtally.services import Background, Role, Services
from airtally.web.failures import failure_of
from airtally.web.requests import AnyRequest

#: What fails here would fail again at once.
_ONCE = RetryRules(patience=0.0, read_patience=0.0)
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

    def __init__(self, client: Client, services: Services) -> None:
        self.client = client
        self._services = services

    @contextmanager
    def exporting(self) -> Iterator[None]:
        """Exports are worked on meanwhile."""
        workers = [*export_work(self._services), self._services.privacy.account_export_worker()]
        with self._working(workers):
            yield

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Reports are worked on meanwhile."""
        with self._working([report_builder_of(self._services)]):
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
        self._release_gone()
        return self._services.privacy.worker()

    def _release_gone(self) -> None:
        """What a process had under way when it was killed can be gone on with."""
        self._services.jobs.release_gone(self._services.process.is_gone)


@contextmanager
def opened_home(account: str | None, *, takes_rows: bool) -> Iterator[OpenedHome]:
    """The home of the settings, closed at the end. `takes_rows`: with a buffer, which erasing in this process needs."""
    with opened_services(Role.ROWS if takes_rows else Role.NONE) as services:
        transport = InProcessTransport(CommandApplication(services))
        with Client("http://home", "command", transport=transport, retry=_ONCE, account=account) as client:
            yield OpenedHome(client, services)


class CommandApplication:
    """The operations without the checks of keys: whoever has this object may do everything.

    Routes are made of those that a call may be for: making all would take most of a short command's time.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._operations = native_operations(services)
        self._sites: dict[str, Litestar] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        collection = _collection_of(scope["path"])
        site = self._sites.get(collection) or self._sites.setdefault(collection, self._site(collection))
        await site(scope, receive, send)

    def _site(self, collection: str) -> Litestar:
        operations = [each for each in self._operations if _collection_of(each.path) == collection]
        callers = CommandCallers(self._services.access.accounts)
        return Litestar(
            route_handlers=[*routes_of(operations, self._services, callers)],
            exception_handlers={Exception: _problem_of_error},
            openapi_config=None,
            request_max_body_size=None,
            logging_config=None,
        )


def _collection_of(path: str) -> str:
    """`keys` of `/api/v1/keys/7`."""
    return path.removeprefix(f"{PREFIX}/").partition("/")[0]


def _problem_of_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    failure: Failure = failure_of(error, request.method)
    if failure.status >= 500:
        log_failure(failure, request.scope["path"])
    return respond(failure, request)
