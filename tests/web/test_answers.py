from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any

import pytest

from airtally.kit.attempts import Attempt
from airtally.web.answers import Answering, Send
from airtally.web.packing import Packing

START = {"type": "http.response.start", "status": 401, "headers": [(b"a", b"b")]}


def sent(
    attempt: Attempt, wait: float = 0.0, *, page: bool = False, https: bool = False
) -> tuple[list[Any], Answering]:
    messages: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    answering = Answering(send, attempt, lambda: wait, page=page, https=https)

    async def answer() -> None:
        await answering(START)
        for body in (b"abc", b"de"):
            await answering({"type": "http.response.body", "body": body, "more_body": body == b"abc"})

    asyncio.run(answer())
    return messages, answering


def test_status_and_size_are_noted_and_headers_added() -> None:
    messages, answering = sent(Attempt())
    assert (answering.status, answering.size) == (401, 5)
    assert messages[0]["headers"] == [(b"a", b"b"), (b"x-content-type-options", b"nosniff")]
    assert START["headers"] == [(b"a", b"b")]


def test_the_size_is_that_of_what_is_sent() -> None:
    messages: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    def pack(send: Send) -> Send:
        return Packing(send, "gzip", head_only=False)

    async def answer() -> Answering:
        answering = Answering(send, Attempt(), lambda: 0.0, page=False, https=False, pack=pack)
        json = [(b"content-type", b"application/json")]
        await answering({"type": "http.response.start", "status": 200, "headers": json})
        await answering({"type": "http.response.body", "body": b"x" * 5000})
        return answering

    assert asyncio.run(answer()).size == len(messages[1]["body"]) < 100


@pytest.mark.parametrize(("page", "https"), [(True, True), (True, False), (False, True)])
def test_only_pages_over_tls_are_to_stay_there(page: bool, https: bool) -> None:
    messages, _ = sent(Attempt(), page=page, https=https)
    names = [name for name, _ in messages[0]["headers"]]
    assert (b"strict-transport-security" in names) is (page and https)


def test_only_the_answer_to_a_wrong_credential_waits() -> None:
    wrong = Attempt()
    wrong.failed = True
    began = time.monotonic()
    sent(Attempt(), wait=60)
    assert time.monotonic() - began < 30
    began = time.monotonic()
    sent(wrong, wait=0.05)
    assert time.monotonic() - began >= 0.05
