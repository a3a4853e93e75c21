"""The server under test: the installed program in a process of its own, its log read, its memory seen."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fixtures.program import PROGRAM

#: Timestamps of ScaleEngine's requests are the case's own, so that a case is the same every day.
_ENVIRONMENT = {
    "AIRTALLY_RATE_LIMITS": "off",
    "AIRTALLY_SCALEENGINE_WINDOW": "3650d",
    "AIRTALLY_SECRET_KEY": "the fuzzer's own key, of 32 letters and more",
    "AIRTALLY_FLUSH_SECONDS": "60s",
}

#: Of a stack trace, which begins in the framework.
_TRACE_LINES = 14
_FRAME = re.compile(r"File \"([^\"]+\", line \\d+)")


@dataclass
class Server:
    url: str
    process: subprocess.Popen[str]
    log: Path
    home: Path
    _read: int = field(default=0)

    @property
    def host_and_port(self) -> tuple[str, int]:
        host, _, port = self.url.split("://")[1].rpartition(":")
        return host, int(port)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def new_lines(self) -> list[str]:
        """What was logged since the last call, up to the last whole line."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.decode("utf-8", "replace").splitlines()

    def peak_memory(self) -> int:
        """Bytes; 0 where the system does not tell."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) * 1024 if found else 0


@contextmanager
def serving(home: Path, database: str, certificate: tuple[Path, Path] | None = None) -> Iterator[Server]:
    """Stopped at the end as an operator stops it; raises AssertionError where that takes over a minute."""
    words = [] if certificate is None else ["--tls-cert", certificate[0], "--tls-key", certificate[1]]
    log = home.with_suffix(".log")
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [PROGRAM, "--home", home, "serve", "--log-level", "warning", "--port", "0", *words],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | _ENVIRONMENT | ({"AIRTALLY_DATABASE": database} if database else {}),
        )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("airtally: listening on "), (line, log.read_text())
        yield Server(line.split()[-1], process, log, home)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            raise AssertionError("the server did not stop within a minute") from None
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def alarms(lines: Iterable[str]) -> list[str]:
    """What the log says that it should not, each kind once: stack traces and errors, by where they were raised."""
    found: dict[str, str] = {}
    trace: list[str] = []
    for line in [*lines, "{}"]:
        entry = _entry(line)
        if entry is None:
            trace.append(line)
            continue
        if any(each.startswith("Traceback") for each in trace):
            found.setdefault(_where("\n".join(trace)), _end("\n".join(trace)))
        trace = []
        if "exception" in entry or entry.get("level") in {"error", "critical"}:
            raised = str(entry.pop("exception", ""))
            found.setdefault(_where(raised) + str(entry.get("event")), f"{json.dumps(entry)}\n{_end(raised)}")
    return list(found.values())


def _entry(line: str) -> dict[str, Any] | None:
    """A line of the program's own; None for what a library wrote."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _end(trace: str) -> str:
    """Its last lines; of the errors that led to the last one their names."""
    lines = trace.splitlines()
    causes = [
        line for line in lines[:-1] if line[:1].strip() and not line.startswith(("Traceback", "The above", "During"))
    ]
    return "\n".join(["", *causes, *lines[-_TRACE_LINES:]]).strip("\n")


def _where(trace: str) -> str:
    return " ".join(_FRAME.findall(trace)[-2:]) + trace.rpartition("\n")[2].partition(":")[0]
