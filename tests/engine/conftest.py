"""Rows of two accounts in files and in the buffer, and what reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from airtally.streams import AD_EVENTS
from fixtures.engines import EVENT
from fixtures.snapshots import HandMade


@pytest.fixture
def source(tmp_path: Path) -> HandMade:
    made = HandMade(tmp_path, AD_EVENTS)
    made.compacted([EVENT, {**EVENT, "account": "other", "ad_group_id": "secret"}])
    made.uncompacted([EVENT])
    made.buffered([EVENT, {**EVENT, "account": "other", "ad_group_id": "secret"}])
    return made
