"""A home with clicks of 20 days of one account and one of another, all in segments."""

from __future__ import annotations

import pytest

from airtally.streams import AD_EVENTS
from fixtures.clicks import click


@pytest.fixture
def home(new_home):
    home = new_home()
    home.acme, home.rival = home.account("acme"), home.account("rival")
    home.send(AD_EVENTS, home.acme, [click(day) for day in range(20)])
    home.send(AD_EVENTS, home.rival, [click(3)])
    home.flush()
    home.rebuild(AD_EVENTS)
    return home
