"""`airtally dataset publish` as a program, beside a running server whose buffer has the rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from airtally.kit.clock import SystemClock
from fixtures.datasets import rows_of
from fixtures.opened import Opened
from fixtures.program import run
from fixtures.server import LiveServer
from fixtures.slate import D, Partner


def test_what_a_server_still_buffers_is_published(
    start_server: Callable[..., LiveServer], tmp_path: Path, opened: Opened
) -> None:
    partner = opened(Partner(start_server(clock=SystemClock())))
    body = "\n".join(json.dumps({"business_id": "abc123", "subscription_event_id": f"e{n}"}) for n in range(3))
    from airtally.ingest.service import Batch
    from airtally.streams import STREAMS

    batch = Batch(STREAMS["subscriptions"], partner.account, body.encode(), "application/x-ndjson")
    partner.server.services.intake.batches.accept(batch)
    home = tmp_path / "home"
    [made] = json.loads(run(home, "dataset", "publish", "--account", partner.slug, "--json").stdout)
    assert (made["dataset"], made["stream"], made["business"], made["rows"]) == (
        "data987",
        "subscriptions",
        "abc123",
        3,
    )
    [item] = partner.listing(D)["data"]
    assert (item["id"], item["name"]) == (made["id"], made["name"])
    content = partner.http.get(item["downloadUrl"]).content
    assert sorted(row["subscription_event_id"] for row in rows_of(content)) == ["e0", "e1", "e2"]
    assert json.loads(run(home, "dataset", "publish", "--account", partner.slug, "--json").stdout) == []


def test_what_is_not_there(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "There is no account" in run(home, "dataset", "publish", "--account", "nobody", status=1).stderr
    run(home, "account", "create", "--name", "Acme")
    assert json.loads(run(home, "dataset", "publish", "--account", "acme", "--json").stdout) == []
    ended = run(home, "dataset", "publish", "--account", "acme", "--dataset", "data1", status=1)
    assert "There is no dataset 'data1'" in ended.stderr
