"""The real program as a subprocess, its command line and its HTTP side."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field, replace
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
    def at(cls, folder: Path, **settings: str) -> Home:
        """A home that is there already; its keys are for the caller to know."""
        return cls(folder, {f"AIRTALLY_{name.upper()}": value for name, value in settings.items()})

    @classmethod
    def make(cls, folder: Path, **settings: str) -> Home:
        home = cls.at(folder, **settings)
        home.run("account", "create", "--name", "Acme", "--slug", SLUG, "--timezone", "America/Sao_Paulo")
        key = ("key", "create", "--account", SLUG, "--json", "--for")
        home.token = json.loads(home.run(*key, "native", "--scope", "write", "--scope", "read"))["token"]
        home.secret_token = json.loads(home.run(*key, "fouryousee"))["secret_token"]
        return home

    @property
    def environment(self) -> dict[str, str]:
        """As an operator has it: modules are compiled once, not by every process that starts."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRTALLY_")}
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        return inherited | {"AIRTALLY_HOME": str(self.folder), "AIRTALLY_RATE_LIMITS": "off"} | self.settings

    def run(self, *arguments: str) -> str:
        """A command of the program; what it printed. Raises RuntimeError with its words when it fails."""
        done = subprocess.run([AIRTALLY, *arguments], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"airtally {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The same command under way."""
        return subprocess.Popen([AIRTALLY, *arguments], env=self.environment, stdout=subprocess.PIPE, text=True)

    def timed(self, *arguments: str) -> float:
        """Seconds that a command of the program takes, its start included."""
        begun = time.perf_counter()
        self.run(*arguments)
        return time.perf_counter() - begun

    def key(self, kind: str, *flags: str) -> dict[str, Any]:
        """A new key of the account, as `key create` prints it."""
        made: dict[str, Any] = json.loads(self.run("key", "create", "--account", SLUG, "--json", "--for", kind, *flags))
        return made

    def with_settings(self, **settings: str) -> Home:
        """The same home, run with these environment variables too."""
        return replace(self, settings=self.settings | settings)

    def copied(self, folder: Path) -> Home:
        """The home once more in another folder, so that what is done to one does not change the other.

        Parquet files are never rewritten, so both share them.
        """
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder, copy_function=_linked)
        return Home(folder, dict(self.settings), self.token, self.secret_token)


def _linked(source: str, target: str) -> None:
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


class Server:
    """`airtally serve` on a home, in a `with` block."""

    def __init__(self, home: Home, *, workers: int = 1) -> None:
        self.home = home
        self.workers = workers
        self.port = free_port()
        self.start_seconds = 0.0
        self._said_before = 0
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
            self._said_before = out.tell()
            self._process = subprocess.Popen(
                [AIRTALLY, "serve", "--host", "127.0.0.1", "--port", str(self.port), *self._workers()],
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

    def _workers(self) -> list[str]:
        """Nothing for one, so that releases can be measured that know no number of workers."""
        return [] if self.workers == 1 else ["--workers", str(self.workers)]

    def _ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"the server ended; see {self.home.folder.with_suffix('.log')}")
        if self.workers > 1 and not self._all_serve():
            return False
        try:
            with Caller(self) as caller:
                return caller.call("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def _all_serve(self) -> bool:
        """The parent of workers says where it listens once each of them answers."""
        with self.home.folder.with_suffix(".log").open("rb") as log:
            log.seek(self._said_before)
            return b"listening on" in log.read()

    def load(self, bodies: Bodies, *, connections: int, **spec: float) -> Load:
        """Run the load client to its end."""
        started = self.start_load(bodies, connections=connections, **spec)
        out, _ = started.communicate()
        if started.returncode:
            raise RuntimeError("the load client failed")
        return Load(**json.loads(out))

    def ask(self, requests: Bodies, *, connections: int, seconds: float) -> Load:
        """Send whole requests, one after the other, for so long."""
        whole = Spec(self.port, "", {}, str(requests.file), requests.index, connections, seconds=seconds)
        out, _ = (started := self._start_client(whole)).communicate()
        if started.returncode:
            raise RuntimeError("the load client failed")
        return Load(**json.loads(out))

    def start_load(self, bodies: Bodies, *, connections: int, **spec: float) -> subprocess.Popen[bytes]:
        headers = {"Authorization": f"Bearer {self.home.token}", "Content-Type": "application/x-ndjson"}
        if bodies.gzipped:
            headers["Content-Encoding"] = "gzip"
        path = "/api/v1/streams/playlogs/events"
        whole = Spec(self.port, path, headers, str(bodies.file), bodies.index, connections, **spec)  # type: ignore[arg-type]
        return self._start_client(whole)

    def _start_client(self, whole: Spec) -> subprocess.Popen[bytes]:
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
        """Status and JSON answer; `body` is sent as JSON, bytes as NDJSON; keys as the path wants them."""
        kind = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
        headers = {"Authorization": f"Bearer {self._server.home.token}", "Content-Type": kind}
        if path.startswith("/v1/"):
            headers["Secret-Token"] = self._server.home.secret_token
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.ask(method, path, headers, sent)
        return answer.status, answer.content

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
        """Everything as it is given."""
        begun = time.perf_counter()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        first = time.perf_counter() - begun
        text = answer.read()
        cookies = "; ".join(each.partition(";")[0] for each in answer.headers.get_all("Set-Cookie") or ())
        kind = answer.getheader("Content-Type") or ""
        return Answer(answer.status, kind, text, time.perf_counter() - begun, first, cookies)


@dataclass(frozen=True)
class Answer:
    """`seconds` from the call to the last byte; reading what the bytes say is not in them. `first_byte`: to the head."""

    status: int
    kind: str
    text: bytes
    seconds: float
    first_byte: float
    cookies: str

    @property
    def content(self) -> Any:
        return json.loads(self.text) if "json" in self.kind and self.text else self.text
