"""Homes of earlier releases: a person is erased, and an account deleted, from files as those releases wrote them."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from airtally.engine.child_process import InProcess
from airtally.erasure.person import person_of
from airtally.erasure.records import ErasureState
from airtally.kit.clock import MovableClock
from airtally.query.question import Function, Metric, Question
from airtally.runtime import open_services
from airtally.streams import APP_EVENTS, DEVICES
from fixtures.homes import KILLED_US, RELEASES, unpacked


class KeptServices:
    """A process on a kept home, an hour after it was killed."""

    def __init__(self, kept, closing):
        self.services = open_services(kept.settings, clock=MovableClock(KILLED_US + 3600 * 1_000_000))
        closing.callback(self.services.close)
        self.services.start()
        self.services.storage.event_store.flush()
        self.services.storage.buffer.tidy()
        self.services.privacy.lake_rows._runner = InProcess()
        self.acme = self.services.access.accounts.by_slug("acme")

    def events(self):
        question = Question(APP_EVENTS, "acme", (Metric("n", Function.COUNT),))
        table = self.services.queries.answer(question).table
        return table["n"][0].as_py() if table.num_rows else 0

    def devices(self):
        return set(self.services.queries.current(DEVICES, "acme").table.column("hwid").to_pylist())

    def run(self, erasure):
        self.services.privacy.worker().run_now(erasure.id)


@pytest.fixture(params=RELEASES)
def kept(request, tmp_path):
    with ExitStack() as closing:
        yield KeptServices(unpacked(request.param, tmp_path), closing)


def test_a_person_is_erased(kept):
    before = kept.events()
    assert before > 0
    assert "d1" in kept.devices()
    asked = kept.services.privacy.erasures.request(kept.acme, person_of({"user_id": ["u1"]}))
    kept.run(asked)
    found = kept.services.privacy.erasures.get(kept.acme, asked.id)
    assert found.state is ErasureState.ERASED, found
    assert "d1" not in kept.devices()
    erased = {each.part: each.erased for each in kept.services.privacy.erasures.findings(found) if each.store == "lake"}
    assert erased["app_events"] > 0
    assert kept.events() == before - erased["app_events"]


def test_an_account_is_deleted(kept):
    asked = kept.services.privacy.closing.delete("acme")
    kept.run(asked)
    assert kept.services.privacy.closing.deletion("acme").state is ErasureState.ERASED
    assert kept.events() == 0
    assert kept.services.files.names("reports/acme") == []
