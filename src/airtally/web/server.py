"""The HTTP server: uvicorn with its own accept loop, which counts connections as soon as they are accepted.

uvicorn, like Granian, counts a connection after its TLS handshake: silent clients are not counted, and use up the
open files of the process (docs/decisions/0018).
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE

from airtally.kit import metrics
from airtally.kit.addresses import neighbourhood
from airtally.kit.setting_values import Network
from airtally.web.connections import Connections, Held
from airtally.web.limits import Limits
from airtally.web.protocol import Connection
from airtally.web.turns import Alone, Turns

_log = structlog.get_logger()

#: Pause after the system failed to accept a connection.
_TROUBLE_SECONDS = 0.1

#: For which a process leaves a connection to another that has fewer.
_TURN_SECONDS = 0.001

MakeConnection = Callable[[Held], asyncio.Protocol]


class Server(uvicorn.Server):
    """Serves an ASGI application on listening sockets. `run`, `should_exit` and `started` are uvicorn's."""

    def __init__(
        self,
        app: Any,
        *,
        limits: Limits,
        tls: tuple[Path, Path | None] | None = None,
        proxies: Sequence[Network] = (),
        grace_seconds: int = 30,
        lifespan: str = "on",
        started: Callable[[], None] = lambda: None,
        turns: Turns | None = None,
    ) -> None:
        """`tls`: certificate and key. `turns`: with whom the sockets are shared, None for nobody.

        `proxies`: whose `X-Forwarded-…` is trusted. `started` is called once requests are answered.
        """
        config = uvicorn.Config(
            app,
            http="httptools",
            loop="uvloop",
            ws="none",
            lifespan=lifespan,  # type: ignore[arg-type]
            ssl_certfile=None if tls is None else tls[0],
            ssl_keyfile=None if tls is None else tls[1],
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=[str(network) for network in proxies],
            timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type]  # seconds, whole or not
            timeout_graceful_shutdown=grace_seconds,
        )
        super().__init__(config)
        self._limits, self._started, self._turns = limits, started, turns or Alone()
        self._connections = Connections(limits.connections, limits.each, exempt=_is_one_of(proxies))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        self.servers = [
            Listener(each, self._connections, self._made, self._limits, self.config.ssl, turns=self._turns)  # type: ignore[misc]
            for each in sockets or ()
        ]
        self.started = True
        self._started()

    def stop(self) -> None:
        """Stop gracefully. May be called from any thread."""
        self.should_exit = True

    def _made(self, held: Held) -> asyncio.Protocol:
        return Connection(
            limits=self._limits,
            held=held,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )


class Listener:
    """Accepts the connections of one socket. `close` and `wait_closed` are those of `asyncio.Server`."""

    def __init__(
        self,
        listening: socket.socket,
        connections: Connections,
        made: MakeConnection,
        limits: Limits,
        tls: ssl.SSLContext | None,
        *,
        turns: Turns | None = None,
    ) -> None:
        listening.setblocking(False)
        self._turns = turns or Alone()
        self._socket, self._connections, self._made = listening, connections, made
        self._tls, self._handshake_seconds = tls, None if tls is None else limits.head_seconds
        self._loop = asyncio.get_running_loop()
        self._begun: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._socket, self._accept_in_turn)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        if self._pause is not None:
            self._pause.cancel()
        for task in self._begun:
            task.cancel()

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._begun, return_exceptions=True)

    def _accept_in_turn(self) -> None:
        """A process with fewer connections has a moment to be first; what it leaves is taken then."""
        if self._turns.waits(len(self._connections)):
            self._loop.remove_reader(self._socket)
            self._pause = self._loop.call_later(_TURN_SECONDS, self._accept_and_go_on)
        else:
            self._accept()

    def _accept_and_go_on(self) -> None:
        self._loop.add_reader(self._socket, self._accept_in_turn)
        self._accept()

    def _accept(self) -> None:
        """Accept one connection each time the socket is ready, so that other work of the loop runs in between.

        Not `loop.sock_accept`: a connection accepted at the moment its waiter is cancelled would stay open.
        """
        try:
            client, at = self._socket.accept()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno != errno.ECONNABORTED:
                self._wait_a_moment(error)
            return
        client.setblocking(False)
        self._admit(client, neighbourhood(str(at[0])) if at else "")

    def _wait_a_moment(self, error: OSError) -> None:
        _log.warning("cannot accept connections, trying again", error=str(error))
        self._loop.remove_reader(self._socket)
        self._pause = self._loop.call_later(_TROUBLE_SECONDS, self._loop.add_reader, self._socket, self._accept_in_turn)

    def _admit(self, client: socket.socket, address: str) -> None:
        held = self._connections.enter(address, client.close)
        if held is None:
            metrics.CONNECTIONS_CLOSED.labels("too many").inc()
            client.close()
            return
        task = self._loop.create_task(self._begin(client, held))
        self._begun.add(task)
        task.add_done_callback(partial(self._has_begun, client, held))
        held.close = task.cancel

    async def _begin(self, client: socket.socket, held: Held) -> None:
        await self._loop.connect_accepted_socket(
            partial(self._made, held), client, ssl=self._tls, ssl_handshake_timeout=self._handshake_seconds
        )

    def _has_begun(self, client: socket.socket, held: Held, task: asyncio.Task[None]) -> None:
        """Clean up, in a callback: a task that is cancelled before its first step runs none of its own code."""
        self._begun.discard(task)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            held.leave()
            client.close()
        if error is not None and not isinstance(error, OSError):  # a failed TLS handshake is the client's fault
            _log.error("a connection could not be set up", error=repr(error))


def _is_one_of(networks: Iterable[Network]) -> Callable[[str], bool]:
    """A test of whether an address, in the form in which it is counted, is in one of the networks."""

    def is_one(address: str) -> bool:
        try:
            counted = ip_network(address)
        except ValueError:
            return False
        return any(counted.version == each.version and counted.overlaps(each) for each in networks)

    return is_one
