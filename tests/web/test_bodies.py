"""Bodies within limits of size, time and memory."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from airtally.kit.errors import BadRequest, TimedOut, TooLarge, TooManyRequests
from airtally.web import bodies
from airtally.web.bodies import Body, BodyMemory, NoBody


def body_of(*chunks: bytes, limit: int = 1000, memory: BodyMemory | None = None, **options: Any) -> Body:
    return Body(
        received(*chunks),
        memory or BodyMemory(1000),
        options.pop("address", "a"),
        limit=limit,
        announced=options.pop("announced", None),
        **options,
    )


def received(*chunks: bytes, stays: bool = False) -> Any:
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.sleep(0 if not stays else 100)
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or stays}

    return receive


async def whole(body: Body) -> bytes:
    found, more = b"", True
    while more:
        message = await body()
        found, more = found + message["body"], message["more_body"]
    return found


def test_a_body_comes_through_as_it_is() -> None:
    assert asyncio.run(whole(body_of(b"ab", b"", b"cd"))) == b"abcd"


@pytest.mark.parametrize("chunks", [(b"a" * 11,), (b"a" * 10, b"a")])
def test_a_body_has_a_size(chunks: tuple[bytes, ...]) -> None:
    assert asyncio.run(whole(body_of(b"a" * 10, limit=10))) == b"a" * 10
    with pytest.raises(TooLarge):
        asyncio.run(whole(body_of(*chunks, limit=10)))


def test_a_body_that_says_it_is_too_large_is_not_begun_with() -> None:
    async def never() -> dict[str, Any]:
        raise AssertionError

    with pytest.raises(TooLarge):
        asyncio.run(whole(Body(never, BodyMemory(1000), "a", limit=10, announced=b"11")))


def test_a_client_that_goes_away_has_made_a_mistake() -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(BadRequest):
        asyncio.run(whole(Body(gone, BodyMemory(1000), "a", limit=10, announced=None)))


@pytest.mark.parametrize("announced", [None, b"11"])
def test_after_the_answer_began_a_body_that_is_wrong_or_cut_short_is_the_clients_leaving(
    announced: bytes | None,
) -> None:
    """A file that is being sent listens for it, and would break off with an error."""
    body = body_of(b"a" * 9, b"a" * 9, limit=10, announced=announced, answered=lambda: True)

    assert asyncio.run(body()) == {"type": "http.disconnect"}


@pytest.mark.parametrize("chunks", [(), (b"a",), (b"a" * 500, b"a" * 500)], ids=["nothing", "little", "too little"])
def test_a_body_that_comes_too_slowly_ends(monkeypatch: pytest.MonkeyPatch, chunks: tuple[bytes, ...]) -> None:
    monkeypatch.setattr(bodies, "SLOW_SECONDS", 0.05)
    slow = Body(received(*chunks, stays=True), BodyMemory(10_000), "a", limit=10_000, announced=None)

    with pytest.raises(TimedOut):
        asyncio.run(whole(slow))


def test_a_body_that_comes_quickly_enough_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SLOW_SECONDS", 0.1)
    monkeypatch.setattr(bodies, "SLOW_BYTES", 10)
    left = [b"a" * 10] * 8

    async def steady() -> dict[str, Any]:
        await asyncio.sleep(0.03)
        return {"type": "http.request", "body": left.pop(), "more_body": bool(left)}

    assert len(asyncio.run(whole(Body(steady, BodyMemory(1000), "a", limit=1000, announced=None)))) == 80


def test_memory_is_bounded_by_address_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.02)

    async def run() -> None:
        memory = BodyMemory(1000)
        first, second = body_of(b"a" * 400, memory=memory), body_of(b"b" * 400, memory=memory)
        await whole(first)
        with pytest.raises(TooManyRequests):
            await whole(second)
        other = body_of(b"c" * 400, memory=memory, address="b")
        await whole(other)
        third = body_of(b"d" * 400, memory=memory, address="c")
        with pytest.raises(TooManyRequests):
            await whole(third)
        first.close()
        assert await whole(body_of(b"d" * 400, memory=memory, address="c")) == b"d" * 400

    asyncio.run(run())


def test_a_body_waits_for_others_to_end() -> None:
    async def run() -> None:
        memory = BodyMemory(1000)
        first = body_of(b"a" * 400, memory=memory)
        await whole(first)
        waiting = asyncio.create_task(whole(body_of(b"b" * 400, memory=memory)))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        first.close()
        assert await waiting == b"b" * 400

    asyncio.run(run())


def test_all_memory_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0)

    async def run() -> None:
        memory = BodyMemory(1000)
        for chunks in ((b"a" * 400,), (b"a" * 300, b"a" * 300), (b"a" * 100, b"")):
            body = body_of(*chunks, limit=500, memory=memory)
            with suppress(TooLarge, TooManyRequests):
                await whole(body)
            body.close()
            body.close()
        assert (memory._total, memory._held) == (0, {})

    asyncio.run(run())


def test_one_body_larger_than_all_memory_is_taken_alone() -> None:
    assert len(asyncio.run(whole(body_of(b"a" * 2000, limit=5000)))) == 2000


def test_who_may_send_nothing_has_sent_nothing() -> None:
    async def run() -> None:
        nothing = NoBody()
        assert await nothing() == {"type": "http.request", "body": b"", "more_body": False}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(nothing(), 0.02)

    asyncio.run(run())
