"""When a key was last used."""

from __future__ import annotations

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.keys import Keys
from airtally.database.store import MetadataStore
from airtally.kit.clock import MovableClock
from airtally.kit.time import SECOND_US
from fixtures.keys import READ


def test_last_use_is_noted_at_most_once_a_minute(keys: Keys, account: Account, clock: MovableClock) -> None:
    token = str(keys.create(account, "native", READ).credentials["token"])
    start = clock.now_us()
    for seconds in (0, 30, 31):
        clock.advance(seconds)
        keys._cache.clear()
        keys.authenticate("native", token)
    with keys._last_use._noted.locked() as noted:
        assert list(noted.values()) == [start + 61 * SECOND_US]
    keys.close()
    assert keys.all()[0].last_used_at == start + 61 * SECOND_US


def test_a_key_is_recognised_though_its_use_cannot_be_noted(
    keys: Keys, account: Account, metadata: MetadataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = str(keys.create(account, "native", READ).credentials["token"])
    keys.close()
    assert keys.authenticate("native", token) is not None
