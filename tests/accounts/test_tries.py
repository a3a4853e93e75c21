"""Tries to log in are limited by address and by user, and guesses of others never lock a user out."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from airtally.accounts import tries
from airtally.accounts.known_devices import KnownDevices
from airtally.accounts.secrets import Secrets
from airtally.accounts.tries import Tries
from airtally.database.store import MetadataStore
from airtally.database.tables import login_tries
from airtally.kit.clock import MovableClock
from airtally.kit.errors import TooManyRequests

HERE = "192.0.2.1"


@pytest.fixture
def limits(metadata: MetadataStore, clock: MovableClock) -> Tries:
    return Tries(metadata, clock)


def wait(limits: Tries, username: str = "ana", host: str = HERE, device: str | None = None) -> int | None:
    """None for a try that may be made, which then fails; else the seconds to wait."""
    try:
        limits.begin(username, host, device)
    except TooManyRequests as refused:
        return refused.retry_after
    return None


def made_in(limits: Tries, clock: MovableClock, seconds: int, hosts: list[str], every: float = 0.5, **more: str) -> int:
    """How many tries come through, when each address tries every half second, or as often as is said."""
    made = 0
    for _ in range(int(seconds / every)):
        made += sum(wait(limits, host=host, **more) is None for host in hosts)
        clock.advance(every)
    return made


def test_an_address_has_one_try_a_second_whoever_it_tries_for(limits: Tries, clock: MovableClock) -> None:
    assert wait(limits) is None
    assert wait(limits) == 1
    assert wait(limits, "eve") == 1
    assert wait(limits, "eve", "192.0.2.2") is None
    clock.advance(1)
    assert wait(limits) is None


def test_a_refused_try_does_not_extend_the_wait(limits: Tries, clock: MovableClock) -> None:
    assert wait(limits) is None
    for _ in range(4):
        clock.advance(0.2)
        assert wait(limits) == 1
    clock.advance(0.2)
    assert wait(limits) is None


def test_failures_make_the_wait_longer_up_to_a_minute(limits: Tries, clock: MovableClock) -> None:
    assert made_in(limits, clock, 600, [HERE]) <= 20
    clock.advance(60)
    assert wait(limits) is None
    assert wait(limits) == 60


def test_thirty_addresses_that_guess_at_one_user_are_slowed_together(limits: Tries, clock: MovableClock) -> None:
    """And whoever has not failed before comes in between: they are slowed one by one besides."""
    attackers = [f"198.51.100.{each}" for each in range(30)]
    assert made_in(limits, clock, 600, attackers, every=2) <= 130
    refused = 0
    while wait(limits) is not None:
        refused += 1
        for host in attackers:
            wait(limits, host=host)
        clock.advance(1)
    assert refused <= 10


def test_a_device_of_the_user_waits_for_its_own_failures_alone(limits: Tries, clock: MovableClock) -> None:
    attackers = [f"198.51.100.{each}" for each in range(30)]
    made_in(limits, clock, 60, [*attackers, HERE])
    assert wait(limits) is not None
    assert wait(limits, device="laptop") is None
    assert wait(limits, device="laptop") == 1
    assert wait(limits, device="phone") is None
    assert made_in(limits, clock, 600, [HERE], device="laptop") <= 20


def test_names_that_nobody_has_are_limited_alike(limits: Tries, clock: MovableClock) -> None:
    """The limiter knows no users: what it says tells nothing about them."""
    for each in range(5):
        known, unknown = (wait(limits, name, f"192.0.2.{each}") for name in ("ana", "nobody"))
        assert unknown in {known, 1}  # the address has just tried for the first
        clock.advance(2)


def test_a_right_password_forgives_the_own_failures(limits: Tries, clock: MovableClock) -> None:
    for _ in range(3):
        assert wait(limits) is None
        clock.advance(2)
    limits.succeeded(limits.begin("ana", HERE))
    for _ in range(3):
        clock.advance(1)
        assert wait(limits) is None


def test_a_right_password_does_not_make_others_guesses_faster(limits: Tries, clock: MovableClock) -> None:
    made_in(limits, clock, 60, [f"198.51.100.{each}" for each in range(30)])
    clock.advance(5)
    limits.succeeded(limits.begin("ana", HERE))
    assert wait(limits, host="203.0.113.1") == 5


def test_a_try_whose_password_was_not_looked_at_counts_nowhere(limits: Tries) -> None:
    limits.undo(limits.begin("ana", HERE))
    assert wait(limits) is None


def test_addresses_of_one_customer_count_as_one(limits: Tries) -> None:
    assert wait(limits, "ana", "2001:db8:1:2::1") is None
    assert wait(limits, "eve", "2001:db8:1:2:ffff::9") == 1
    assert wait(limits, "eve", "2001:db8:1:3::1") is None


def test_a_clock_that_is_set_back_keeps_nobody_out(limits: Tries, clock: MovableClock) -> None:
    for _ in range(8):
        wait(limits)
        clock.advance(61)
        wait(limits)
    clock.advance(-86_400)
    assert wait(limits) is None
    assert (wait(limits) or 0) <= 60


def test_tries_that_meet_have_one_winner(limits: Tries) -> None:
    found: list[int | None] = []
    threads = [threading.Thread(target=lambda: found.append(wait(limits))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each or 0 for each in found) == [0] + [1] * 7


def test_any_name_and_address(limits: Tries, clock: MovableClock) -> None:
    for text in ("", "\0", "x" * 10_000, "\udcff"):
        assert wait(limits, text, text) is None
        clock.advance(1)


@pytest.fixture
def stores(postgres_url: str) -> Iterator[list[MetadataStore]]:
    opened = [MetadataStore.open(postgres_url) for _ in range(2)]
    yield opened
    for store in opened:
        store.close()


def test_servers_share_the_limits_on_postgresql(stores: list[MetadataStore], clock: MovableClock) -> None:
    one, two = (Tries(store, clock) for store in stores)
    assert wait(one) is None
    assert wait(two) == 1
    assert wait(two, host="192.0.2.2") == 1
    clock.advance(1)
    two.succeeded(two.begin("ana", HERE))
    assert wait(one) == 1


def test_old_counts_are_swept(
    stores: list[MetadataStore], clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "_SWEEP_EVERY", 1)
    limits = Tries(stores[0], clock)
    wait(limits)
    clock.advance(7200)
    wait(limits, "eve", "192.0.2.2")
    with stores[0].read() as connection:
        assert connection.execute(select(func.count()).select_from(login_tries)).scalar_one() == 3


def test_memory_is_bounded(sqlite_url: str, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "MAX_KEYS", 6)
    store = MetadataStore.open(sqlite_url)
    limits = Tries(store, clock)
    for each in range(20):
        wait(limits, f"user{each}", f"192.0.2.{each}")
    assert len(limits._book._counts) == 6
    assert wait(limits, "user19", "192.0.2.19") == 1
    store.close()


def test_a_device_is_known_for_one_user_only(secrets: Secrets) -> None:
    devices = KnownDevices(secrets)
    cookie = devices.make("ana")
    assert devices.known(cookie, "ana") == cookie.partition(".")[0]
    assert devices.known(cookie, "eve") is None
    for wrong in ("", ".", "guessed", f"{cookie}0", cookie.replace(".", ".0", 1), "\udcff.\udcff"):
        assert devices.known(wrong, "ana") is None
    assert KnownDevices(Secrets(b"another secret key")).known(cookie, "ana") is None
