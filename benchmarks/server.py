"""The real program as a subprocess, its command line and its HTTP side."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.client import Load, Spec
from benchmarks.machine import wait_for

ROOT = Path(__file__).parents[1]
#: As `make setup` installs it: the test tools bring libraries (pandas) that pyarrow loads where it finds them.
MEASURED = ROOT / ".venv-program" / "bin" / "airtally"
AIRTALLY = MEASURED if MEASURED.exists() else Path(sys.executable).with_name("airtally")
SLUG = "acme-1A2B3C"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Home:
    """A home with one account and its keys; `settings` are environment variables of every command run on it."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    token: str = ""
    secret_token: str = ""

    @classmethod
    def make(cls, folder: Path, **settings: str) -> Home:
        home = cls(folder, {f"AIRTALLY_{name.upper()}": value for name, value in settings.items()})
        home.run("account", "create", "--name", "Acme", "--slug", SLUG, "--timezone", "America/Sao_Paulo")
        key = ("key", "create", "--account", SLUG, "--json", "--for")
        home.token = json.loads(home.run(*key, "native", "--scope", "write", "--scope", "read"))["token"]
        home.secret_token = json.loads(home.run(*key, "fouryousee"))["secret_token"]
        return home

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRTALLY_")}
        return inherited | {"AIRTALLY_HOME": str(self.folder), "AIRTALLY_RATE_LIMITS": "off"} | self.settings

    def run(self, *arguments: str) -> str:
        """A command of the program; what it printed. Raises RuntimeError with its words when it fails."""
        done = subprocess.run([AIRTALLY, *arguments], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"airtally {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout


class Server:
    """`airtally serve` on a home, in a `with` block."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.port = free_port()
        self.start_seconds = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        begun = time.perf_counter()
        log = self.home.folder.with_suffix(".log")
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [AIRTALLY, "serve", "--host", "127.0.0.1", "--port", str(self.port)],
                env=self.home.environment,
                stdout=out,
                stderr=out,
            )
        try:
            wait_for(self._ready, 60, says=f"the server's start (see {log})")
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        self.start_seconds = time.perf_counter() - begun
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(120)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise

    def _ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"the server ended; see {self.home.folder.with_suffix('.log')}")
        try:
            with Caller(self) as caller:
                return caller.call("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def load(self, bodies: Bodies, *, connections: int, **spec: float) -> Load:
        """Run the load client to its end."""
        started = self.start_load(bodies, connections=connections, **spec)
        out, _ = started.communicate()
        if started.returncode:
            raise RuntimeError("the load client failed")
        return Load(**json.loads(out))

    def start_load(self, bodies: Bodies, *, connections: int, **spec: float) -> subprocess.Popen[bytes]:
        headers = {"Authorization": f"Bearer {self.home.token}", "Content-Type": "application/x-ndjson"}
        if bodies.gzipped:
            headers["Content-Encoding"] = "gzip"
        path = "/api/v1/streams/playlogs/events"
        whole = Spec(self.port, path, headers, str(bodies.file), bodies.index, connections, **spec)  # type: ignore[arg-type]
        file = self.home.folder.with_suffix(".spec.json")
        file.write_text(json.dumps(asdict(whole)), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.client", str(file)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


@dataclass(frozen=True)
class Bodies:
    """Request bodies, one after the other in a file."""

    file: Path
    index: list[tuple[int, int]]
    rows: int
    gzipped: bool


class Caller:
    """One kept-alive connection for calls that are looked at one by one."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON answer; `body` is sent as JSON, bytes as NDJSON."""
        kind = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
        headers = {"Authorization": f"Bearer {self._server.home.token}", "Content-Type": kind}
        if path.startswith("/v1/"):
            headers["Secret-Token"] = self._server.home.secret_token
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        self._connection.request(method, path, sent, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(text) if is_json and text else text
