"""The guarded client, over real loopback HTTP."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar

import pytest

from airtally.kit.outgoing import Outgoing, OutgoingFailed, OutgoingRefused, check_url, is_permitted

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Receiver(BaseHTTPRequestHandler):
    """Answers by path: /200 with 200 and so on; /hang never; /drip a byte of its status line a second."""

    seen: ClassVar[list[tuple[str, str, bytes, dict[str, str]]]] = []
    released: ClassVar[threading.Event]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.command, self.path, body, dict(self.headers)))
        if self.path == "/hang":
            self.released.wait(120)
        elif self.path == "/drip":
            for byte in b"HTTP/1.1 200 " + b"O" * 600:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.released.wait(0.2):
                    return
        elif self.path == "/garbage":
            self.wfile.write(b"\x00\x01 what\r\n\r\n")
        else:
            self.send_response(int(self.path[1:4]))
            self.send_header("Location", "/200")
            self.send_header("Content-Length", "1000000")  # never sent: the body is not waited for
            self.end_headers()

    def do_GET(self) -> None:
        self.seen.append((self.command, self.path, b"", {}))

    def log_message(self, *_: object) -> None: ...


class OnIPv6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@pytest.fixture
def receiver() -> Iterator[str]:
    yield from receiving(ThreadingHTTPServer, "127.0.0.1")


@pytest.fixture
def ipv6_receiver() -> Iterator[str]:
    yield from receiving(OnIPv6, "::1")


def receiving(kind: type[ThreadingHTTPServer], host: str) -> Iterator[str]:
    Receiver.seen, Receiver.released = [], threading.Event()
    server = kind((host, 0), Receiver)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}"
    Receiver.released.set()
    server.shutdown()
    server.server_close()


def post(url: str, *, allowed: tuple = LOOPBACK, seconds: float = 5.0, body: bytes = b"{}") -> int:
    client = Outgoing(allowed, seconds=seconds)
    return asyncio.run(client.post(url, body, {"Content-Type": "application/json"})).status


def test_posts_the_body_and_gives_the_status(receiver: str) -> None:
    assert post(f"{receiver}/200?a=b%20c", body=b'{"id":1}') == 200
    [(method, path, body, headers)] = Receiver.seen
    assert (method, path, body) == ("POST", "/200?a=b%20c", b'{"id":1}')
    assert headers["Content-Type"] == "application/json"
    assert headers["Host"] == receiver.removeprefix("http://")
    assert headers["User-Agent"] == "Airtally"


@pytest.mark.parametrize("written", ["[::1]", "[0:0::0:1]", "a:b@[::1]"])
def test_an_ipv6_address_is_in_brackets_in_the_host_header(ipv6_receiver: str, written: str) -> None:
    assert post(ipv6_receiver.replace("[::1]", written) + "/200") == 200
    [(*_, headers)] = Receiver.seen
    assert headers["Host"] == ipv6_receiver.replace("[::1]", written.rpartition("@")[2]).removeprefix("http://")


def test_a_user_name_in_the_url_is_sent_as_basic_authorization(receiver: str) -> None:
    assert post(receiver.replace("://", "://user:p%40ss@") + "/200") == 200
    assert Receiver.seen[0][3]["Authorization"] == "Basic " + base64.b64encode(b"user:p@ss").decode()


@pytest.mark.parametrize("status", [204, 301, 307, 404, 500])
def test_every_status_is_an_answer_and_no_redirect_is_followed(receiver: str, status: int) -> None:
    assert post(f"{receiver}/{status}") == status
    assert len(Receiver.seen) == 1


def test_loopback_is_refused_unless_allowed(receiver: str) -> None:
    with pytest.raises(OutgoingRefused, match=r"127\.0\.0\.1.*not a public address"):
        post(f"{receiver}/200", allowed=())
    assert Receiver.seen == []


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_other_spellings_of_loopback_are_refused(receiver: str, host: str) -> None:
    port = receiver.rpartition(":")[2]
    with pytest.raises(OutgoingFailed):
        post(f"http://{host}:{port}/200", allowed=())
    assert Receiver.seen == []


def test_a_name_is_resolved_once_and_the_checked_address_is_used(
    receiver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([[(socket.AF_INET, 1, 6, "", ("127.0.0.1", 80))], [(socket.AF_INET, 1, 6, "", ("10.0.0.1", 80))]])
    asked = []

    async def getaddrinfo(_loop: Any, host: str, *_args: Any, **_more: Any) -> Any:
        asked.append(host)
        return next(answers)

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
    assert post(f"http://hooks.example:{receiver.rpartition(':')[2]}/200") == 200
    assert asked == ["hooks.example"]
    assert Receiver.seen[0][3]["Host"].startswith("hooks.example:")


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_the_time_limit_is_for_the_whole_exchange(receiver: str, path: str) -> None:
    started = time.monotonic()
    with pytest.raises(OutgoingFailed, match=r"No answer within 0\.5 seconds"):
        post(receiver + path, seconds=0.5)
    assert time.monotonic() - started < 60, "not for the 120 seconds that the receiver takes"


def test_what_is_not_http_is_a_failure(receiver: str) -> None:
    with pytest.raises(OutgoingFailed, match="HTTP"):
        post(f"{receiver}/garbage")


def test_a_closed_port_and_an_unknown_name_are_failures() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        with pytest.raises(OutgoingFailed, match="connection failed"):
            post(f"http://127.0.0.1:{probe.getsockname()[1]}/")
    with pytest.raises(OutgoingFailed, match="connection failed"):
        post("http://no-such-name.invalid/")


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "/relative", "http://", "//example.com", "http://exa mple/\n",
     "http://example.com:99999/", "javascript:alert(1)", "", "http://[2606:4700::1%25eth0]/", "http://[2606:4700::1%1]/",
     "http://[::1", "http://::1/", "http://[::g]/", "http://[v1.a]/", "http://a%25b.example/", "http://xn--/",
     "https://a.xn--\u00fc/", "http://xn--a/"],
)  # fmt: skip
def test_urls_that_are_no_targets(url: str) -> None:
    with pytest.raises(OutgoingRefused):
        check_url(url)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
     "ff02::1", "::127.0.0.1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "fec0::1", "FEC0::1", "feff:ffff::1",
     "fec0::1%eth0", "fd00::1", "2001:db8::1", "3fff::1", "3fff:fff::1", "5f00::1", "100::1", "192.88.99.1", "192.0.0.9",
     "2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "::ffff:0:7f00:1", "198.18.0.1", "198.51.100.1",
     "240.0.0.1"],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_permitted(ip_address(address), ())


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses(address: str) -> None:
    assert is_permitted(ip_address(address), ())


def test_an_allowed_network_covers_the_mapped_form_too() -> None:
    assert is_permitted(ip_address("::ffff:127.0.0.1"), LOOPBACK)
    assert not is_permitted(ip_address("10.0.0.1"), LOOPBACK)
