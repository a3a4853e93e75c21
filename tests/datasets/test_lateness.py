"""A late publication raises one notice to the account's users: in the log, as a metric and by e-mail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY

from airtally.datasets.lateness import LateNotices
from airtally.kit.clock import MovableClock
from airtally.kit.faults import Faults
from airtally.readiness import remarks
from airtally.vendors.slate.services import slate_services
from fixtures.datasets import BEFORE_NOON_US, HOUR, DatasetHome
from fixtures.server import LiveServer
from fixtures.smtp import Mailbox


@pytest.fixture
def late_home(tmp_path: Path, smtp_url: str) -> Iterator[DatasetHome]:
    """With two users, and a slot at noon that nobody publishes."""
    with ExitStack() as closing:
        dataset_home = DatasetHome(tmp_path / "home", MovableClock(BEFORE_NOON_US), closing, smtp_url=smtp_url)
        for name in ("ana", "bo"):
            dataset_home.services.access.users.create(
                dataset_home.account, username=name, name=name, email=f"{name}@example.com", password="long enough"
            )
        rival = dataset_home.services.access.accounts.create("Rival")
        dataset_home.services.access.users.create(
            rival, username="eve", name="Eve", email="eve@example.com", password="long enough"
        )
        dataset_home.services.datasets.publisher.publication_store.enrol()
        yield dataset_home


def notices(dataset_home: DatasetHome, grace: float = 0.0) -> LateNotices:
    services = dataset_home.services
    return LateNotices(
        services.datasets.publisher.publication_store,
        services.datasets.notices,
        dataset_home.clock,
        grace_seconds=grace,
    )


def late_metric() -> float:
    return REGISTRY.get_sample_value("airtally_publications_late_total", {"stream": "subscriptions"}) or 0.0


def test_one_message_to_each_of_the_accounts_people(late_home: DatasetHome, mailbox: Mailbox) -> None:
    step, counted = notices(late_home).step, late_metric()
    late_home.clock.advance(3600)
    step()
    assert mailbox.messages == []
    assert remarks(late_home.services) == []
    late_home.clock.advance(1)
    step()
    assert sorted(message["To"] for message in mailbox.messages) == ["ana@example.com", "bo@example.com"]
    text = mailbox.messages[0].get_content()
    assert mailbox.messages[0]["Subject"] == "Dataset files of Acme are late"
    assert "Subscription (data987) of business abc123: due 2026-11-02 12:00 UTC" in text
    assert "Playback (data986)" in text
    assert late_metric() == counted + 1
    assert len(remarks(late_home.services)) == 3
    step()
    notices(late_home.again()).step()
    assert len(mailbox.messages) == 2, "once, whichever process looks"


def test_the_next_slot_is_told_of_again(late_home: DatasetHome, mailbox: Mailbox) -> None:
    step = notices(late_home).step
    late_home.clock.advance(HOUR + 1)
    step()
    late_home.publish(None)
    step()
    assert remarks(late_home.services) == []
    late_home.clock.advance(4 * HOUR)
    step()
    assert len(mailbox.messages) == 4


def test_what_is_made_good_at_once_is_not_told(late_home: DatasetHome, mailbox: Mailbox) -> None:
    looking = notices(late_home, grace=0.3)
    late_home.clock.advance(30 * HOUR)
    looking.step()
    late_home.publish(None)
    looking.step()
    assert mailbox.messages == []


def test_a_mail_server_that_is_away_is_tried_again(late_home: DatasetHome, mailbox: Mailbox) -> None:
    step = notices(late_home).step
    late_home.clock.advance(HOUR + 1)
    mailbox.away = True
    step()
    mailbox.away = False
    step()
    step()
    assert len(mailbox.messages) == 2


def test_nobody_of_a_closed_account_is_told(late_home: DatasetHome, mailbox: Mailbox) -> None:
    """Neither of what is late while it is closed, nor of what the mail server had not taken before."""
    step, closing = notices(late_home).step, late_home.services.privacy.closing
    late_home.clock.advance(HOUR + 1)
    mailbox.away = True
    step()
    closing.close("acme")
    mailbox.away = False
    step()
    late_home.clock.advance(4 * HOUR)
    step()
    assert mailbox.messages == []
    closing.reopen("acme")
    late_home.publish(None)
    late_home.clock.advance(4 * HOUR)
    step()
    assert sorted(message["To"] for message in mailbox.messages) == ["ana@example.com", "bo@example.com"]


def test_without_a_mail_server_the_log_and_readyz_say_it(tmp_path: Path) -> None:
    with ExitStack() as closing:
        dataset_home = DatasetHome(tmp_path / "home", MovableClock(BEFORE_NOON_US), closing)
        dataset_home.services.datasets.publisher.publication_store.enrol()
        dataset_home.clock.advance(2 * HOUR)
        counted = late_metric()
        notices(dataset_home).step()
        assert late_metric() == counted + 1


def test_a_job_held_back_shows_in_readyz(start_server: Callable[..., LiveServer], tmp_path: Path) -> None:
    """The server stays ready: it does its work, and says what is late."""
    held = threading.Event()

    class Held(Faults):
        def reach(self, point: str) -> None:
            if point == "dataset.publish":
                held.wait(120)

    clock = MovableClock(BEFORE_NOON_US)
    server = start_server(clock=clock, faults=Held())
    desk_account = server.services.access.accounts.create("Acme")
    from airtally.vendors.slate.entries import NewBusiness

    slate_services(server.services).register.create_business(
        desk_account, NewBusiness("7890", "abc123", "Max", datasets={"subscription": "data987"})
    )
    server.services.datasets.publisher.publication_store.enrol()
    clock.advance(HOUR + 2)
    try:
        answer = httpx.get(f"{server.url}/readyz")
        assert answer.status_code == 200
        assert answer.json()["ready"] is True
        assert any("Subscription (data987)" in remark for remark in answer.json()["remarks"])
    finally:
        held.set()
