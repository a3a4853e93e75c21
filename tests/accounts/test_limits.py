from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select

from airtally.accounts import limits
from airtally.accounts.limits import RateLimiter
from airtally.database.store import MetadataStore
from airtally.database.tables import rate_limits
from airtally.kit import metrics
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Unavailable
from airtally.kit.faults import Faults


@pytest.fixture
def limiter(metadata: MetadataStore, clock: MovableClock) -> RateLimiter:
    return RateLimiter(metadata, clock)


def test_one_call_in_so_many_seconds(limiter: RateLimiter, clock: MovableClock) -> None:
    assert limiter.allow("a", 1)
    assert not limiter.allow("a", 1)
    assert limiter.allow("b", 1)
    clock.advance(1)
    assert limiter.allow("a", 1)


def test_refused_calls_count(limiter: RateLimiter, clock: MovableClock) -> None:
    assert limiter.allow("a", 1)
    for _ in range(5):
        clock.advance(0.6)
        assert not limiter.allow("a", 1)
    clock.advance(1)
    assert limiter.allow("a", 1)


def test_a_clock_that_is_set_back_limits_no_longer_than_before(limiter: RateLimiter, clock: MovableClock) -> None:
    assert limiter.allow("a", 1)
    clock.advance(-3600)
    assert limiter.allow("a", 1)
    assert not limiter.allow("a", 1)
    clock.advance(1)
    assert limiter.allow("a", 1)


def test_keys_of_any_length_and_content(limiter: RateLimiter) -> None:
    for key in ("", "\0", "x" * 100_000, "\udcff"):
        assert limiter.allow(key, 1)
        assert not limiter.allow(key, 1)


def test_switched_off(metadata: MetadataStore, clock: MovableClock) -> None:
    limiter = RateLimiter(metadata, clock, enabled=False)
    assert not limiter.shared
    assert all(limiter.allow("a", 1) for _ in range(3))


def test_calls_that_meet_have_one_winner(limiter: RateLimiter) -> None:
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(limiter.allow("a", 1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 7 + [True]


def test_machines_share_limits_on_postgresql(postgres_url: str, clock: MovableClock) -> None:
    stores = [MetadataStore.open(postgres_url) for _ in range(2)]
    one, two = (RateLimiter(store, clock) for store in stores)
    assert one.shared
    assert one.allow("a", 1)
    assert not two.allow("a", 1)
    for store in stores:
        store.close()


def test_a_failing_store_lets_calls_through_and_counts_them(postgres_url: str, clock: MovableClock) -> None:
    class Failing(Faults):
        def reach(self, point: str) -> None:
            raise Unavailable("gone")

    store = MetadataStore.open(postgres_url, faults=Failing())
    limiter = RateLimiter(store, clock)
    before = metrics.LIMITER_FAILURES._value.get()
    assert limiter.allow("a", 1)
    assert limiter.allow("a", 1)
    assert metrics.LIMITER_FAILURES._value.get() == before + 2
    store.close()


def test_old_rows_are_swept(postgres_url: str, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SWEEP_EVERY", 2)
    store = MetadataStore.open(postgres_url)
    limiter = RateLimiter(store, clock)
    limiter.allow("a", 1)
    clock.advance(7200)
    limiter.allow("b", 1)
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(rate_limits)).scalar_one() == 1
    store.close()


def test_memory_is_bounded(sqlite_url: str, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KEYS", 3)
    store = MetadataStore.open(sqlite_url)
    limiter = RateLimiter(store, clock)
    for key in "abcd":
        limiter.allow(key, 1)
    assert len(limiter._last) == 3
    assert not limiter.allow("d", 1)
    store.close()


def test_workers_of_one_server_count_together(metadata: MetadataStore, clock: MovableClock) -> None:
    first, second = (RateLimiter(metadata, clock, together=True) for _ in range(2))
    assert first.allow("a", 1)
    assert not second.allow("a", 1)
    clock.advance(1)
    assert second.allow("a", 1)
    assert not first.allow("a", 1)
