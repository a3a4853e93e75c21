"""The page's orchestration script as a program of its own, once as it is, once with the downloads it lacks."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airtally.ingest.service import Batch
from airtally.kit.clock import MovableClock, SystemClock
from airtally.kit.time import to_datetime
from airtally.streams import STREAMS
from fixtures.datasets import rows_of
from fixtures.opened import Opened
from fixtures.server import LiveServer
from fixtures.slate import Partner
from fixtures.slate_script import script, script_with_downloads
from fixtures.zones import ZONES, during

NOON_US = 1_793_620_800_000_000  # 2026-11-02T12:00:00Z


def run(text: str, folder: Path, **variables: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "extract.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "extract.py"],
        cwd=folder,
        env=os.environ | {"NO_PROXY": "*"} | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def send(partner: Partner, ids: list[str]) -> None:
    body = "\n".join(json.dumps({"business_id": "abc123", "subscription_event_id": each}) for each in ids)
    batch = Batch(STREAMS["subscriptions"], partner.account, body.encode(), "application/x-ndjson")
    partner.server.services.intake.batches.accept(batch)


@pytest.mark.every_zone
def test_the_script_succeeds_and_advances(
    start_server: Callable[..., LiveServer], tmp_path: Path, opened: Opened
) -> None:
    partner = opened(Partner(start_server(clock=SystemClock()), static=True))
    text = script(partner.server.url, partner.credentials["access_token"])
    stored = tmp_path / "job" / "last_call_time.txt"
    before = datetime.now(UTC)
    assert run(text, tmp_path / "job") == "Data fetched successfully.\n"
    first = datetime.fromisoformat(stored.read_text())
    assert before <= first <= datetime.now(UTC)
    assert run(text, tmp_path / "job") == "Data fetched successfully.\n"
    assert datetime.fromisoformat(stored.read_text()) > first
    refused = run(text.replace("Atza|", "Atza|x"), tmp_path / "job")
    assert refused.startswith("Error fetching data: 401 - ")


def test_with_downloads_it_collects_each_version_once(
    start_server: Callable[..., LiveServer], tmp_path: Path, opened: Opened
) -> None:
    """On a moving clock: runs at odd moments, each in the next zone, late rows, restarts of the server in between."""
    chance, clock = random.Random(11), MovableClock(NOON_US + 300_000_000)
    partner = opened(Partner(start_server(clock=clock, dataset_interval=900.0), static=True))
    (tmp_path / "job" / "downloads").mkdir(parents=True)
    sent: list[str] = []
    for cycle in range(10):
        with during(ZONES[cycle % 3]):
            ids = [f"e{len(sent) + number:03}" for number in range(chance.randrange(1, 6))]
            send(partner, ids)
            sent += ids
            clock.advance(chance.choice([0.4, 299.7, 900, 1800.001]))
            if cycle % 2:
                partner.server.services.on_demand().run(partner.account)
            if cycle % 4 == 3:
                partner.server.stop()
                partner.connect(start_server(clock=clock, dataset_interval=900.0))
            collect(partner, clock, tmp_path / "job")
    clock.advance(900)
    partner.server.services.on_demand().run(partner.account)
    clock.advance(5)
    collect(partner, clock, tmp_path / "job")
    found = [row for file in (tmp_path / "job" / "downloads").iterdir() for row in rows_of(file.read_bytes())]
    assert sorted(row["subscription_event_id"] for row in found) == sent


def collect(partner: Partner, clock: MovableClock, folder: Path) -> None:
    text = script_with_downloads(partner.server.url, partner.credentials["access_token"])
    now = to_datetime(clock.now_us()).isoformat()
    assert run(text, folder, NOW=now) == "Data fetched successfully.\n"
