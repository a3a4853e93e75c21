"""Paths, errors and names are shown to operators only; readiness to everybody."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from airtally.api.operators import is_operator
from airtally.kit.attempts import ATTEMPT, Attempt
from airtally.kit.disks import check_room, check_write
from airtally.kit.errors import StorageFull
from airtally.kit.faults import Faults
from airtally.settings import Settings

TOKEN = "a token for operators"
LINE = b'{"player_id": 1, "media_id": 2, "played_at": "2026-10-01T08:00:00"}'


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_this_machine_without_a_proxy(peer):
    assert is_operator({"user-agent": "curl"}, peer, "")


@pytest.mark.parametrize("peer", ["192.0.2.1", "10.0.0.1", "::2", "fe80::1%eth0", "", None, "testclient", "0.0.0.0"])
def test_other_machines_and_sockets_without_a_peer(peer):
    assert not is_operator({}, peer, "")


@pytest.mark.parametrize(
    "header",
    [
        *("Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "X-Forwarded", "Via", "X-Real-IP"),
        *("CF-Connecting-IP", "True-Client-IP", "X-Client-IP", "X-Original-Forwarded-For", "X-Envoy-External-Address"),
    ],
)
def test_behind_a_proxy_on_this_machine(header):
    for value in ("127.0.0.1", ""):
        assert not is_operator({header: value}, "127.0.0.1", "")


def test_the_token_is_enough_from_anywhere_and_no_other_is():
    for header in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
        assert is_operator({"authorization": header, "via": "x"}, "192.0.2.1", TOKEN)
    as_read = "Bearer " + "é".encode().decode("latin-1")  # header bytes are read as Latin-1
    assert is_operator({"authorization": as_read}, "192.0.2.1", "é")
    for header in (f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ", "Bearer", "Bearer \udcff\xe9", TOKEN, ""):
        assert not is_operator({"authorization": header}, "192.0.2.1", TOKEN)
        assert not is_operator({"authorization": header}, "192.0.2.1", "")


def test_a_wrong_token_is_a_guess_and_a_key_of_this_machine_is_none():
    attempt = Attempt()
    reset = ATTEMPT.set(attempt)
    is_operator({"authorization": "Bearer x"}, "127.0.0.1", TOKEN)
    is_operator({}, "192.0.2.1", TOKEN)
    assert not attempt.failed
    is_operator({"authorization": "Bearer x"}, "192.0.2.1", TOKEN)
    assert attempt.failed
    ATTEMPT.reset(reset)


@pytest.fixture
def operators(start_server) -> Iterator[httpx.Client]:
    """A client behind a proxy that the server trusts: its address is another machine's."""
    server = start_server(operations_token=TOKEN, trusted_proxies=(ip_network("127.0.0.0/8"),))
    with httpx.Client(base_url=server.url, headers={"X-Forwarded-For": "127.0.0.1"}) as client:
        yield client


def test_what_a_stranger_and_an_operator_see(operators):
    stranger, shown = operators.get("/readyz"), {"Authorization": f"Bearer {TOKEN}"}
    assert (stranger.status_code, stranger.json()) == (200, {"ready": True})
    assert set(operators.get("/readyz", headers=shown).json()["checks"]) >= {"buffer", "lake"}
    for method in ("GET", "HEAD"):
        refused = operators.request(method, "/metrics")
        assert (refused.status_code, b"airtally_" in refused.content) == (401, False)
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert "airtally_requests_total" in operators.get("/metrics", headers=shown).text
    assert operators.get("/healthz").status_code == 200


class FullDisk(Faults):
    full = True

    def reach(self, point: str) -> None:
        if self.full and point == "buffer.write":
            raise OSError(errno.ENOSPC, "No space left on device")


def test_not_ready_on_a_full_disk(start_server, join):
    disk = FullDisk()
    server = start_server(faults=disk)
    client = join(server)
    assert client.http.get("/readyz").status_code == 200
    assert client.send("playlogs", LINE).status_code == 507
    answer = client.http.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["buffer"]) == (503, "The disk of the buffer is full")
    stranger = client.http.get("/readyz", headers={"Via": "a proxy"})
    assert (stranger.status_code, stranger.json()) == (503, {"ready": False})
    disk.full = False
    assert client.send("playlogs", LINE).status_code == 200
    assert client.http.get("/readyz").status_code == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """4 MiB in memory, where the tests may mount it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=20", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_without_room_or_inodes(small_disk):
    check_room(small_disk / "not" / "there" / "yet")
    check_write(small_disk)
    small_disk.joinpath("rows").write_bytes(bytes(3 << 20))
    with pytest.raises(StorageFull, match="1024 KiB are free"):
        check_room(small_disk)
    check_write(small_disk)
    with pytest.raises(OSError, match="No space"):
        small_disk.joinpath("more").write_bytes(bytes(3 << 20))
    with pytest.raises(StorageFull):
        check_write(small_disk)
    small_disk.joinpath("more").unlink()
    small_disk.joinpath("rows").unlink()
    for each in range(19):
        small_disk.joinpath(str(each)).touch()
    with pytest.raises(StorageFull, match="no room for another file"):
        check_room(small_disk)


@pytest.mark.parametrize(
    ("given", "looked_at"),
    [
        ({}, ["home", "home/lake", "home/files"]),
        ({"lake": "s3://bucket/lake", "files": "s3://bucket/files"}, ["home"]),
        ({"lake": "BASE/lake", "database": "sqlite:///BASE/db/meta.sqlite"}, ["home", "lake", "home/files", "db"]),
        ({"database": "postgresql://u@host/db"}, ["home", "home/lake", "home/files"]),
    ],
)
def test_every_disk_that_is_written_to_is_looked_at(tmp_path, given, looked_at):
    given = {name: text.replace("BASE", str(tmp_path)) for name, text in given.items()}
    found = Settings(home=tmp_path / "home", **given).local_folders
    assert found == [tmp_path / each for each in looked_at]


def test_the_lakes_own_disk_counts(start_server, small_disk):
    server = start_server(lake=str(small_disk / "lake"))
    with httpx.Client(base_url=server.url) as client:
        assert client.get("/readyz").status_code == 200
        small_disk.joinpath("rows").write_bytes(bytes(3 << 20))
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert f"The disk of {small_disk / 'lake'} is full" in answer.json()["checks"]["home"]
