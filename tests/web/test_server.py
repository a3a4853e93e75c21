"""Connections that begin while the server ends, or that give way before they have begun, leave no socket open."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import warnings
from pathlib import Path
from typing import Any

import pytest
import uvloop

from airtally.web.connections import Connections
from airtally.web.limits import Limits
from airtally.web.server import Listener


def _protocol(_: Any) -> asyncio.Protocol:
    return asyncio.Protocol()


async def _connect_and_close(turns: int, most: int, tls: ssl.SSLContext | None) -> None:
    """Six connections that the server is closed `turns` of its loop after."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listener = Listener(listening, Connections(most, most), _protocol, Limits(), tls)
        clients = [socket.create_connection(listening.getsockname()) for _ in range(6)]
        for _ in range(turns):
            await asyncio.sleep(0)
        listener.close()
        await listener.wait_closed()
        await asyncio.sleep(0.01)
        for client in clients:
            client.close()


@pytest.mark.parametrize("most", [1, 100])
@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("with_tls", [False, True])
def test_no_socket_is_left_open(turns: int, most: int, with_tls: bool, tls: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if with_tls else None
    if context is not None:
        context.load_cert_chain(*tls)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        uvloop.run(_connect_and_close(turns, most, context))
        gc.collect()
    assert [str(each.message) for each in caught if "socket" in str(each.message)] == []
