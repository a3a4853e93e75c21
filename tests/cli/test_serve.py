"""`airtally serve`: its address is taken first, said in one line, and warned of where links would not work."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest

from airtally import cli
from airtally.cli.listening import CannotListen, listen
from airtally.doctor.checks import examine
from airtally.doctor.premises import HomePremises
from airtally.kit import logs
from airtally.settings import Settings
from airtally.web.listened import Listened
from fixtures.program import PROGRAM, run

FIRST_LINK = (
    r"airtally: there is no user yet: make the first at (https?://\S+/setup\?token=\S{43}) \(once, until \S+\)\n"
)


@contextmanager
def serving(home: Path, *words: object, **environment: str) -> Iterator[tuple[str, Path]]:
    """The address that the program says, and the file of its standard error."""
    errors = home.with_suffix(".stderr")
    with errors.open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "--home", home, "serve", "--log-level", "error", "--port", "0", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | environment,
        )
    try:
        with process:
            assert process.stdout
            line = process.stdout.readline()
            said = re.fullmatch(r"airtally: listening on (https?://\S+:\d+)\n", line)
            assert said, (line, errors.read_text())
            yield said[1], errors
            process.send_signal(signal.SIGTERM)
            assert re.fullmatch(FIRST_LINK, process.stdout.read()), "this is all that it says where there is no user"
    finally:
        process.kill()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_it_says_where_it_listens_and_links_lead_there(home: Path) -> None:
    run(home, "account", "create", "--name", "Acme", "--slug", "acme")
    key = json.loads(run(home, "key", "create", "--account", "acme", "--for", "slate", "--json").stdout)
    with serving(home) as (url, errors):
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", url)
        assert httpx.get(f"{url}/healthz").text == "ok"
        accounts = httpx.get(
            f"{url}/apis/v2/accounts?limit=1&offset=0", headers={"Authorization": f"Bearer {key['access_token']}"}
        )
        assert accounts.status_code == 200
        following = accounts.json()["next"]
        assert following is None or following.startswith(url)
        assert errors.read_text() == ""
    assert Listened.last(home) == Listened(url, local=True)


def test_tls_is_https(home: Path, tls: tuple[Path, Path]) -> None:
    with serving(home, "--tls-cert", tls[0], "--tls-key", tls[1]) as (url, _):
        assert url.startswith("https://127.0.0.1:")
        assert httpx.get(f"{url}/healthz", verify=ssl.create_default_context(cafile=tls[0])).text == "ok"


def test_an_address_for_others_is_warned_of_and_doctor_says_so(home: Path) -> None:
    with serving(home, "--host", "0.0.0.0") as (url, errors):
        assert httpx.get(url.replace("0.0.0.0", "127.0.0.1") + "/healthz").text == "ok"
        (warning,) = errors.read_text().splitlines()
    assert warning.startswith("airtally: warning: AIRTALLY_PUBLIC_URL is not set: ")
    assert url in warning
    assert "will not work" in warning
    examined = {each.about: each for each in examine(HomePremises(Settings(home=home)))}["public URL"]
    assert examined.mend == warning.removeprefix("airtally: warning: ")
    public = Settings(home=home, public_url="https://stats.example.org")
    assert {each.about for each in examine(HomePremises(public)) if each.mend} == set()


def test_no_warning_where_the_public_url_is_given(home: Path) -> None:
    with serving(home, "--host", "0.0.0.0", AIRTALLY_PUBLIC_URL="https://stats.example.org") as (_, errors):
        assert errors.read_text() == ""


def test_doctor_says_of_any_home_what_links_begin_with(home: Path) -> None:
    (found,) = [each for each in examine(HomePremises(Settings(home=home))) if each.about == "public URL"]
    assert found.mend is None
    assert "AIRTALLY_PUBLIC_URL" in found.found


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_that_is_taken_is_one_line_and_nothing_is_touched(home: Path, command: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        ended = run(home, command, "--port", port, status=1)
    assert ended.stdout == ""
    assert ended.stderr == (
        f"airtally: Cannot listen on 127.0.0.1:{port}: Address already in use "
        "(Stop what listens there, or give another --port; 0 takes a free one)\n"
    )
    assert not home.exists()


def test_a_server_is_no_harm_to_the_one_that_runs(home: Path) -> None:
    with serving(home) as (url, _):
        ended = run(home, "serve", "--port", httpx.URL(url).port, status=1)
        assert ended.stderr.count("\n") == 1
        assert httpx.get(f"{url}/readyz").json()["ready"]
    assert Listened.last(home) == Listened(url, local=True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--port", 65536), "There is no port 65536"),
        (("--port", -1), "There is no port -1"),
        (("--host", "nowhere.invalid"), "No address is known for the host 'nowhere.invalid'"),
        (("--host", "a" * 64), "No address is known for the host "),
        (("--host", "192.0.2.1"), "Cannot listen on 192.0.2.1:8080: Cannot assign requested address"),
        (("--tls-cert", "no.pem"), "The certificate no.pem and its key no.pem cannot be used"),
        (("--tls-key", "no.pem"), "A key for TLS was given without a certificate"),
    ],
)
def test_other_mistakes_are_one_line_too(
    home: Path,
    words: tuple[object, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(logs, "configure", lambda _: None)  # it would hold on to this test's standard error
    monkeypatch.setattr(sys, "argv", ["airtally", "--home", str(home), "serve", *map(str, words)])
    with patch.dict(os.environ), pytest.raises(SystemExit) as ended:
        cli.main()
    error = capsys.readouterr().err
    assert ended.value.code == 1
    assert error.startswith(f"airtally: {says}")
    assert error.count("\n") == 1
    assert not home.exists()


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize(
    ("host", "shown", "local"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.9.9.9", "127.9.9.9", True),
        ("localhost", "localhost", True),
        ("0.0.0.0", "0.0.0.0", False),
        ("", "0.0.0.0", False),
        pytest.param("::1", "[::1]", True, marks=needs_ipv6),
        pytest.param("::", "[::]", False, marks=needs_ipv6),
    ],
)
def test_what_is_said_of_an_address(host: str, shown: str, local: bool) -> None:
    with listen(host, 0) as listening:
        assert listening.address == Listened(f"http://{shown}:{listening.port}", local)
        for each in listening.sockets:
            at = each.getsockname()[0].replace("0.0.0.0", "127.0.0.1")
            socket.create_connection((at, listening.port)).close()
    with listen(host, 0, tls=True) as listening:
        assert listening.address.url.startswith("https://")


def own_addresses() -> list[str]:
    """Of this machine and not loopback, as far as its name and its routes tell."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return []
        at = str(probe.getsockname()[0])
    return [] if at.startswith("127.") else [at]


def test_an_address_in_a_local_network_is_not_local() -> None:
    addresses = own_addresses()
    if not addresses:
        pytest.skip("this machine has loopback alone")
    for at in addresses:
        with listen(at, 0) as listening:
            assert not listening.address.local


def test_a_port_can_be_taken_again_when_it_is_left() -> None:
    with listen("127.0.0.1", 0) as listening:
        port = listening.port
        with pytest.raises(CannotListen, match="already in use"), listen("127.0.0.1", port):
            pass
    with listen("127.0.0.1", port):
        pass


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    note = tmp_path / "listening.json"
    assert Listened.last(tmp_path) is None
    for content in (b"{", b'{"url": "\xff", "local": true}', b"[]"):
        note.write_bytes(content)
        assert Listened.last(tmp_path) is None
    note.unlink()
    note.mkdir()
    assert Listened.last(tmp_path) is None


def test_a_damaged_buffer_is_recovered_counted_and_said_until_it_is_removed(home: Path) -> None:
    """Three batches in the log of a killed process; its main file is zeros."""
    run(home, "account", "create", "--name", "Acme", "--slug", "acme")
    key = json.loads(
        run(
            home,
            "key",
            "create",
            "--account",
            "acme",
            "--for",
            "native",
            "--scope",
            "read",
            "--scope",
            "write",
            "--json",
        ).stdout
    )
    headers = {"Authorization": f"Bearer {key['token']}"}
    sent = headers | {"Content-Type": "application/x-ndjson"}
    with killed(home) as url:
        for media in range(3):
            line = f'{{"player_id": 1, "media_id": {media}, "played_at": "2026-10-01T08:00:00"}}\n' * (media + 1)
            answer = httpx.post(f"{url}/api/v1/streams/playlogs/events", content=line, headers=sent)
            assert answer.json()["accepted"] == media + 1
    (buffer,) = (home / "buffer").glob("*.sqlite")
    buffer.write_bytes(bytes(buffer.stat().st_size))
    for _ in range(2):
        with serving(home) as (url, _):
            asked = {"stream": "playlogs", "metrics": ["count"]}
            rows = httpx.post(f"{url}/api/v1/query", json=asked, headers=headers).json()["rows"]
            assert [row["count"] for row in rows] == [6]
            ready = httpx.get(f"{url}/readyz")
            assert ready.status_code == 503
            assert f"{buffer}.damaged" in ready.json()["checks"]["buffer"]
            assert "6 rows in 3 batches were recovered" in ready.json()["checks"]["buffer"]
    (found,) = [each for each in json.loads(run(home, "doctor", "--json", status=1).stdout) if each["state"] == "error"]
    assert found["about"] == "buffer"
    assert f"{buffer}.damaged" in found["mend"]
    for each in (home / "buffer").glob("*.damaged*"):
        each.unlink()
    with serving(home) as (url, _):
        assert httpx.get(f"{url}/readyz").status_code == 200
    run(home, "doctor")


@contextmanager
def killed(home: Path) -> Iterator[str]:
    """A server that dies at the end, before it has flushed anything."""
    with subprocess.Popen(
        [PROGRAM, "--home", home, "serve", "--log-level", "error", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"AIRTALLY_FLUSH_SECONDS": "600s"},
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.kill()


@pytest.mark.parametrize("damage", [b"", b"no database" * 3000, None])
def test_a_damaged_metadata_store_is_one_line_that_says_what_to_do(home: Path, damage: bytes | None) -> None:
    run(home, "account", "create", "--name", "Acme", "--slug", "acme")
    path = home / "metadata.sqlite"
    if damage == b"":
        path.with_name("metadata.sqlite-wal").write_bytes(b"frames" * 1000)
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 60_000 if damage is None else damage)
    ended = run(home, "serve", "--port", 0, status=1)
    (line,) = [each for each in ended.stderr.splitlines() if not each.startswith("{")]
    assert line.startswith("airtally: The metadata store is damaged: ")
    assert "restore a backup" in line
    (found,) = [each for each in json.loads(run(home, "doctor", "--json", status=1).stdout) if each["state"] == "error"]
    assert found["about"] == "metadata"
    assert "restore a backup" in found["mend"]
    if damage == b"":
        assert path.with_name("metadata.sqlite-wal").stat().st_size == 6000
