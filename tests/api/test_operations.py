"""Probes, metrics and logs."""

from __future__ import annotations

import json
import re
import secrets

import pytest
from prometheus_client.metrics import MetricWrapperBase

from airtally.kit import metrics
from fixtures.captured import captured_logs

LINE = b'{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}'


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture
def acme(server, join):
    return join(server)


def ready(client):
    answer = client.http.get("/readyz")
    assert answer.status_code == (200 if answer.json()["ready"] else 503)
    return {name: found for name, found in answer.json()["checks"].items() if found != "ok"}


def test_probes_need_no_key(acme):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert acme.http.get(path, headers={"Authorization": ""}).status_code == 200
    assert acme.http.get("/healthz").text == "ok"
    assert set(acme.http.get("/readyz").json()["checks"]) == {"home", "metadata", "buffer", "lake", "background"}


def test_not_ready_while_the_buffer_is_full(start_server, join):
    server = start_server(buffer_max=6000)
    client = join(server)
    while client.send("playlogs", LINE).status_code == 200:
        pass
    assert ready(client).keys() <= {"buffer"}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(server.services.storage.buffer, "_max_bytes", 0)
        assert ready(client) == {"buffer": "The server's buffer is full"}
    server.services.storage.event_store.flush()
    assert ready(client) == {}


def test_not_ready_while_the_lake_cannot_be_read(server, acme, tmp_path):
    lake = tmp_path / "home" / "lake"
    if lake.exists():
        lake.rename(tmp_path / "lake")  # at once: a background step may be writing into the folder
    lake.write_text("not a folder")
    assert ready(acme).keys() == {"lake"}
    assert acme.http.get("/healthz").status_code == 200, "it lives: killing it would mend nothing"
    lake.unlink()
    assert ready(acme) == {}


def test_not_ready_while_the_metadata_store_is_away(server, acme, monkeypatch):
    def away():
        raise OSError("no route")

    monkeypatch.setattr(server.services.store, "read", away)
    assert ready(acme) == {"metadata": "no route"}


def test_not_ready_when_background_work_has_stopped(server, acme):
    for each in server.services.background:
        if each.name in {"flush", "writers"}:
            each.stop()
    (problem,) = ready(acme).values()
    assert problem == "stopped: flush, writers"


def value(client, sample):
    found = re.search(rf"^{re.escape(sample)} (\S+)$", client.http.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_every_counter_is_shown(acme):
    shown = acme.http.get("/metrics").text
    declared = [each._name for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    assert len(declared) > 20
    assert [name for name in declared if f"# TYPE {name}" not in shown] == []


@pytest.mark.parametrize(
    ("sample", "send"),
    [
        ('airtally_rows_accepted_total{stream="playlogs"}', lambda client, _: client.send("playlogs", LINE)),
        ('airtally_rows_rejected_total{stream="playlogs"}', lambda client, _: client.send("playlogs", b"{}")),
        (
            'airtally_batches_refused_total{reason="bad_request",stream="playlogs"}',
            lambda client, _: client.send("playlogs", b"PAR1"),
        ),
        (
            'airtally_batches_repeated_total{stream="playlogs"}',
            lambda client, _: [client.send("playlogs", LINE, **{"Idempotency-Key": "k"}) for _ in range(2)],
        ),
        (
            'airtally_rows_flushed_total{stream="playlogs"}',
            lambda client, server: [client.send("playlogs", LINE), server.services.storage.event_store.flush()],
        ),
        (
            'airtally_requests_total{area="ingest",method="POST",status="401"}',
            lambda client, _: client.send("playlogs", LINE, Authorization="Bearer x"),
        ),
        (
            'airtally_requests_total{area="fouryousee",method="GET",status="401"}',
            lambda client, _: client.http.get("/v1/reports"),
        ),
    ],
)
def test_counters_count(acme, server, sample, send):
    before = value(acme, sample)
    send(acme, server)
    assert value(acme, sample) == before + 1


def test_names_from_outside_make_no_new_series(acme):
    before = len(acme.http.get("/metrics").text.splitlines())
    for _ in range(5):
        acme.send(secrets.token_hex(8), LINE)
        acme.http.get(f"/{secrets.token_hex(8)}")
        acme.http.request("X" + secrets.token_hex(2).upper(), "/api/v1/streams/playlogs/events")
        acme.http.request("X" + secrets.token_hex(2).upper(), "/v1/reports")
    assert len(acme.http.get("/metrics").text.splitlines()) - before < 25


def test_one_line_a_request_and_no_secret_in_any(server, acme, join):
    token = server.services.access.keys.create(acme.account, "fouryousee").credentials["secret_token"]
    signature, key, password = secrets.token_hex(32), secrets.token_hex(8), "correct horse battery"
    calls = [
        ("POST", "/api/v1/streams/playlogs/events", 200),
        ("POST", "/api/v1/query", 200),
        ("GET", "/v1/players", 200),
        ("GET", f"/{acme.account.slug}/1-0123456789abc.gz", 404),
        ("POST", "/login", 403),
        ("GET", "/v1/reports", 401),
    ]
    with captured_logs() as logs:
        acme.send("playlogs", LINE, **{"Idempotency-Key": key})
        acme.ask(stream="playlogs")
        acme.http.get("/v1/players", headers={"Secret-Token": token})
        acme.http.get(f"{calls[3][1]}?playlogs-reports={signature}")
        acme.http.post("/login", data={"username": "ana", "password": password, "csrf_token": signature})
        acme.http.get("/v1/reports", headers={"Secret-Token": signature}, params={"token": signature})
    lines = [line for line in logs if line["event"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == calls
    assert [line["account"] for line in lines[:3]] == [acme.account.slug, acme.account.slug, acme.account.slug]
    assert all(line["ms"] >= 0 and line["bytes"] > 0 for line in lines)
    text = json.dumps(logs, default=str)
    for secret in (acme.token, token, signature, key, password):
        assert secret not in text


def test_a_log_line_is_one_line_whatever_the_path(acme):
    with captured_logs() as logs:
        acme.http.get("/a%0Ab%00c%1b[31m/" + "x" * 3000)
    (line,) = [line for line in logs if line["event"] == "request"]
    assert len(line["path"]) <= 256
    assert "\n" not in json.dumps(line)
