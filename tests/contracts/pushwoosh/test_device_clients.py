"""Published clients against this server: pypushwoosh 0.3.1 and pushwoosh 1.0.2."""

from __future__ import annotations

import gc
import http.client
import json
import ssl
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pushwoosh
import pytest
from pypushwoosh import constants
from pypushwoosh.client import PushwooshClient
from pypushwoosh.command import (
    CreateTargetedMessageCommand,
    GetTagsCommand,
    PushStatCommand,
    RegisterDeviceCommand,
    SetTagsCommand,
    UnregisterDeviceCommand,
)

from airtally.settings import Settings
from fixtures.push_devices import App
from fixtures.server import LiveServer

OK = {"status_code": 200, "status_message": "OK", "response": None}


@pytest.fixture
def client(app: App) -> PushwooshClient:
    """Pointed here by its own settings."""
    made = PushwooshClient(timeout=120)
    made.scheme, _, made.hostname = app.server.url.partition("://")
    return made


def test_pypushwoosh_sets_and_gets_tags(app: App, client: PushwooshClient) -> None:
    for name, kind in (("Level", 1), ("Language", 2), ("Topics", 3), ("Birthday", 4)):
        app.declare_tag(name, kind)
    birthday = datetime(2026, 3, 10, 0, 5)
    tags = {"Level": 3, "Language": "fr", "Topics": ["sport"], "Birthday": birthday, "Colour": "red"}
    answer = client.invoke(SetTagsCommand(app.code, "hw-1", tags))
    assert answer["response"] == {"skipped": [{"tag": "Colour", "reason": "Tag not found"}]}
    answer = client.invoke(GetTagsCommand(app.code, "hw-1", auth=app.token))
    expected = {"Birthday": "2026-03-10 00:05", "Language": "fr", "Level": 3, "Topics": ["sport"]}
    assert answer == OK | {"response": {"result": expected}}


def test_pypushwoosh_registers_a_device(app: App, client: PushwooshClient) -> None:
    register = RegisterDeviceCommand(app.code, "hw-1", constants.PLATFORM_ANDROID, "token", "fr", 3600)
    assert client.invoke(register) == OK
    device = app.device("hw-1")
    assert device is not None
    assert (device["device_type"], device["push_token"], device["timezone_seconds"]) == (3, "token", 3600)
    assert client.invoke(PushStatCommand(app.code, "hw-1", "hash")) == OK
    assert client.invoke(UnregisterDeviceCommand(app.code, "hw-1")) == OK
    device = app.device("hw-1")
    assert device is not None
    assert device["push_token"] is None


def test_pypushwoosh_reads_faults(app: App, client: PushwooshClient) -> None:
    answer = client.invoke(GetTagsCommand("ZZZZZ-00000", "hw-1"))
    assert answer == {"status_code": 210, "status_message": "Application not found", "response": None}
    unknown = CreateTargetedMessageCommand()
    unknown.auth, unknown.content, unknown.devices_filter = app.token, "x", 'A("x")'
    assert client.invoke(unknown) == {"status_code": 404, "status_message": "Method not found", "response": None}


@pytest.fixture
def tls_app(tls: tuple[Path, Path], tmp_path: Path) -> Iterator[App]:
    server = LiveServer(Settings(home=tmp_path / "home", rate_limits=False))
    plain = server.url
    server.use_tls(*tls)
    server.start()
    made = App(server, verify=ssl.create_default_context(cafile=tls[0]))
    assert server.url != plain
    yield made
    made.close()
    server.stop()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the client never closes a connection
def test_pushwoosh_speaks_tls_with_whole_urls_in_its_request_line(
    tls_app: App, tls: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client knows one host and one method; only its host and whom it trusts are changed here."""
    monkeypatch.setattr(pushwoosh, "SERVER", tls_app.server.url.removeprefix("https://"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[0]))
    status, body = pushwoosh.Pushwoosh(tls_app.token, tls_app.code).create_message([{"text": "x"}])
    gc.collect()
    assert status == 200
    assert json.loads(body) == {"status_code": 404, "status_message": "Method not found", "response": None}


def test_calls_of_devices_in_the_form_of_pushwoosh(tls_app: App, tls: tuple[Path, Path]) -> None:
    """The same connection and request line as that client's, for methods that it does not have."""
    tls_app.declare_tag("Level", 1)
    connection = http.client.HTTPSConnection(
        "127.0.0.1", tls_app.server.port, context=ssl.create_default_context(cafile=tls[0]), timeout=20
    )

    def call(method: str, **fields: Any) -> Any:
        body = json.dumps({"request": {"application": tls_app.code} | fields})
        connection.request("POST", pushwoosh.URL + method, body=body, headers={"Content-type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())

    assert call("setTags", hwid="d", tags={"Level": 7}) == OK
    assert call("getTags", hwid="d") == OK | {"response": {"result": {"Level": 7}}}
    connection.close()
