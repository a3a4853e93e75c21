"""deploy/proxy: the servers themselves, with the configurations of the folder but for addresses and certificates."""

from __future__ import annotations

import http.server
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from fixtures.killable import free_port

PROXY = Path(__file__).parents[2] / "deploy/proxy"
NAME = "reports.example.org"


class Upstream(http.server.ThreadingHTTPServer):
    """Keeps the headers of requests; sends the second half of `/slow` once the first has arrived."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.seen: list[dict[str, str]] = []
        self.arrived = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"one")
        if self.path == "/slow":
            assert self.server.arrived.wait(30), "the first half was held back"
        self.wfile.write(b"two")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *args: object) -> None:
        pass


@dataclass
class Proxied:
    """A proxy before `upstream`, reached by `http` with TLS and at `plain` without."""

    upstream: Upstream
    http: httpx.Client
    plain: str


def nginx(folder: Path, upstream: int, port: int, plain: int, certificate: tuple[Path, Path]) -> list[str]:
    site = (PROXY / "nginx.conf").read_text()
    for ours, theirs in {
        "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        "    listen [::]:443 ssl http2;\n": "",
        "    listen [::]:80;\n": "",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "/etc/ssl/airtally/fullchain.pem": str(certificate[0]),
        "/etc/ssl/airtally/privkey.pem": str(certificate[1]),
    }.items():
        assert ours in site, ours
        site = site.replace(ours, theirs)
    places = "".join(f"{each}_temp_path {folder};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/errors; events {{}} "
        f"http {{ access_log off; {places}\n{site}\n}}"
    )
    return ["nginx", "-c", str(config)]


def caddy(folder: Path, upstream: int, port: int, plain: int, certificate: tuple[Path, Path]) -> list[str]:
    site = (PROXY / "Caddyfile").read_text()
    for ours, theirs in {
        "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        f"\n{NAME} {{": f"\nhttps://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate[0]} {certificate[1]}",
    }.items():
        assert ours in site, ours
        site = site.replace(ours, theirs)
    config = folder / "Caddyfile"
    config.write_text(f"{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}\n}}\n{site}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def proxied(request: pytest.FixtureRequest, tls: tuple[Path, Path], tmp_path_factory) -> Iterator[Proxied]:
    make: Callable[..., list[str]] = request.param
    if shutil.which(make.__name__) is None:
        pytest.skip(f"{make.__name__} is not installed (scripts/deploy-tools installs it)")
    folder, upstream, port, plain = tmp_path_factory.mktemp("proxy"), Upstream(), free_port(), free_port()
    folder.chmod(0o755)
    command = make(folder, upstream.server_address[1], port, plain, tls)
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    transport = httpx.HTTPTransport(verify=context)
    client = httpx.Client(transport=transport, base_url=f"https://127.0.0.1:{port}", timeout=30)
    client.headers["Host"] = NAME
    try:
        wait_for(lambda: client.get("/", extensions={"sni_hostname": NAME}).is_success, process, folder)
        yield Proxied(upstream, client, f"http://127.0.0.1:{plain}")
    finally:
        client.close()
        process.terminate()
        process.wait(30)
        upstream.shutdown()
        upstream.server_close()


def wait_for(answers: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            assert answers()
        except httpx.HTTPError:
            ended = process.poll() is not None or time.monotonic() > deadline
            assert not ended, (folder / "said").read_text()
            time.sleep(0.05)
        else:
            return


def get(proxied: Proxied, path: str, **headers: str) -> httpx.Response:
    return proxied.http.get(path, headers=headers, extensions={"sni_hostname": NAME})


def test_the_address_of_the_caller_is_the_one_that_the_proxy_saw(proxied):
    get(proxied, "/x", **{"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "http"})
    seen = proxied.upstream.seen[-1]
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"], seen["host"]) == ("127.0.0.1", "https", NAME)


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_what_is_for_the_machine_alone_is_not_passed_on(proxied, path):
    before = len(proxied.upstream.seen)
    assert get(proxied, path).status_code == 404
    assert len(proxied.upstream.seen) == before


def test_events_are_passed_on_as_they_come(proxied):
    proxied.upstream.arrived.clear()
    with proxied.http.stream("GET", "/slow", extensions={"sni_hostname": NAME}) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"one"
        proxied.upstream.arrived.set()
        assert b"".join(pieces) == b"two"


def test_a_body_that_is_too_large_is_refused_by_the_proxy_too(proxied):
    answer = proxied.http.post("/x", content=bytes((64 << 20) + 1), extensions={"sni_hostname": NAME})
    assert answer.status_code in {413, 502}  # Caddy's 413 comes after the body; where it was passed on, 502


@pytest.mark.parametrize("proxied", [nginx], ids=["nginx"], indirect=True)
def test_a_call_without_tls_is_sent_on(proxied):
    """Caddy does it by itself, on port 80."""
    answer = httpx.get(f"{proxied.plain}/v1/reports", headers={"Host": NAME})
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{NAME}/v1/reports")
