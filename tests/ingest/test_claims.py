"""A batch with an `Idempotency-Key` is accepted once, whatever happens in between."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from airtally.database.store import MetadataStore
from airtally.ingest.claims import KEPT_US, Claim, Claims
from airtally.kit.errors import BadRequest, Conflict, Unavailable, Unprocessable
from airtally.kit.faults import Faults
from airtally.streams import PLAYLOGS
from fixtures.postgres import on_sqlite
from fixtures.storage import Storage, playlogs

ANSWER = b'{"accepted":2,"rejected":0,"errors":[]}'
BODY = b"two rows"


class Process:
    """One server process's claims over the shared store and the home's buffers."""

    def __init__(self, metadata, account, storage):
        self.account, self.storage = account, storage
        self.claims = Claims(metadata, storage.buffer, storage.clock)

    def take(self, key="k", body=BODY, stream="playlogs"):
        return self.claims.take(self.account.id, stream, key, body)

    def commit(self, claim):
        rows = playlogs((1, None, 0), (2, None, 0))
        self.storage.buffer.append(PLAYLOGS, self.account.slug, rows, claim=(claim.id, ANSWER)).result(10)

    def medias(self):
        return self.storage.medias(self.account.slug)

    def settle(self):
        """What a start does with the buffers of processes that died."""
        for buffer_id in self.storage.buffer.adopted:
            self.claims.settle(buffer_id)
            self.storage.buffer.settled(buffer_id)


@pytest.fixture
def start(metadata, account, tmp_path, clock):
    with ExitStack() as opened:
        yield lambda: Process(metadata, account, Storage(tmp_path, clock, opened))


def test_a_repeat_gets_the_first_answer(start):
    process = start()
    claim = process.take()
    assert isinstance(claim, Claim)
    process.commit(claim)
    process.claims.answer(claim, ANSWER)
    assert process.take() == ANSWER
    assert process.storage.buffer.claim_answer(claim.id) is None, "the buffer need not know it any longer"
    with pytest.raises(Unprocessable):
        process.take(body=b"something else")
    assert isinstance(process.take(stream="players"), Claim), "another stream's key is another key"


def test_under_way(start):
    process = start()
    process.take()
    with pytest.raises(Conflict) as refused:
        process.take()
    assert refused.value.retry_after == 1
    with pytest.raises(Unprocessable):
        process.take(body=b"something else")


def test_what_was_given_up_may_be_sent_again_also_with_another_body(start):
    process = start()
    process.claims.give_up(process.take())
    claim = process.take(body=b"something else")
    assert isinstance(claim, Claim)
    process.claims.answer(claim, ANSWER)
    process.claims.give_up(claim)
    assert process.take(body=b"something else") == ANSWER, "what is answered is not given up"


def test_of_many_at_once_one_has_the_claim(start):
    process = start()
    outcomes, barrier = [], threading.Barrier(8)

    def take():
        barrier.wait()
        try:
            outcomes.append(type(process.take()))
        except Conflict as refused:
            outcomes.append(type(refused))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=lambda each: each.__name__) == [Claim] + [Conflict] * 7


def test_a_crash_between_commit_and_answer(start):
    first = start()
    first.commit(first.take())
    first.storage.abandon()
    second = start()
    with pytest.raises(Conflict):
        Claims(second.claims._store, start().storage.buffer, second.storage.clock).take(
            second.account.id, "playlogs", "k", BODY
        )
    second.settle()
    assert second.take() == ANSWER
    assert second.medias() == [1, 2]


def test_a_crash_before_the_commit(start):
    first = start()
    first.take()
    first.storage.abandon()
    second = start()
    second.settle()
    claim = second.take()
    assert isinstance(claim, Claim)
    second.commit(claim)
    assert second.medias() == [1, 2]


def test_settling_twice_and_after_the_flush(start):
    """The adopted file stays as long as the store does not know its claims, flushed or not."""
    first = start()
    first.commit(first.take())
    first.storage.abandon()
    second = start()
    second.storage.flusher().flush_all()
    second.storage.abandon()
    third = start()
    third.settle()
    third.settle()
    assert third.take() == ANSWER
    assert third.medias() == [1, 2]


def test_another_machines_claims_are_not_settled(start, metadata, account, clock, tmp_path):
    with ExitStack() as opened:
        elsewhere = Process(metadata, account, Storage(tmp_path / "elsewhere", clock, opened))
        elsewhere.take()
        here = start()
        here.take("mine")
        here.storage.abandon()
        again = start()
        again.settle()
        assert isinstance(again.take("mine"), Claim)
        with pytest.raises(Conflict):
            again.take()


def test_the_buffer_answers_where_the_store_missed_it(start, database_url, clock, account):
    """The rows are on disk and the store was away when their answer was to be noted."""

    class Away(Faults):
        away = False

        def reach(self, point):
            if self.away:
                raise Unavailable("The metadata store does not answer")

    faults = Away()
    process = start()
    store = MetadataStore.open(database_url, faults=faults)
    claims = Claims(store, process.storage.buffer, clock)
    claim = claims.take(account.id, "playlogs", "k", BODY)
    process.commit(claim)
    faults.away = True
    with pytest.raises(Unavailable):
        claims.answer(claim, ANSWER)
    faults.away = False
    assert claims.take(account.id, "playlogs", "k", BODY) == ANSWER
    store.close()


def test_claims_end_after_8_days(start, clock):
    process = start()
    process.claims.answer(process.take("answered"), ANSWER)
    process.take("left")
    clock.advance(KEPT_US / 1e6)
    process.claims.expire()
    assert process.take("answered") == ANSWER
    clock.advance(1)
    process.claims.expire()
    assert isinstance(process.take("answered"), Claim)
    assert isinstance(process.take("left"), Claim)


@on_sqlite
@pytest.mark.parametrize("key", ["", "a\nb", "\x7f", "\u200b", "x" * 256, "é" * 128])
def test_what_is_no_key(start, key):
    with pytest.raises(BadRequest):
        start().take(key)
