from __future__ import annotations

import json
import subprocess
import sys

import pytest

from airtally.kit.errors import Internal, StorageFull
from airtally.kit.logs import log_failure
from fixtures.captured import captured_logs


def failed(failure: Exception, cause: Exception) -> Exception:
    failure.__cause__ = cause
    return failure


def test_trouble_that_may_pass_is_logged_with_its_cause_and_all_else_with_a_trace() -> None:
    with captured_logs() as logs:
        log_failure(failed(StorageFull("no room"), OSError(28, "No space left")), "/a" * 1000)
        log_failure(failed(Internal("broken"), KeyError("x")), "/b")
    passing, broken = logs
    assert (passing["code"], passing["reason"], passing["exc_info"]) == ("storage_full", "no room", None)
    assert passing["cause"] == "OSError: [Errno 28] No space left"
    assert len(passing["path"]) == 256
    assert isinstance(broken["exc_info"], KeyError)


def test_a_line_is_one_json_object_whatever_is_in_it() -> None:
    program = """
import structlog
from airtally.kit.logs import configure
configure("warning")
log = structlog.get_logger()
log.info("left out")
log.warning("two\\nlines", path=open, quote='"')
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    first, second = (json.loads(line) for line in done.stderr.splitlines())
    assert (first["event"], first["level"], first["quote"]) == ("two\nlines", "warning", '"')
    assert first["timestamp"].endswith("Z")
    assert "ZeroDivisionError" in second["exception"]


@pytest.mark.parametrize("lost", ["sys.stderr = open('/dev/full', 'w')", "sys.stderr.close()", "os.close(2)"])
def test_a_log_that_cannot_be_written_ends_nothing(lost: str) -> None:
    """Of the kind: a full disk beneath the log, a reader that has gone, a stream that was replaced and closed."""
    program = f"""
import os, sys
import structlog
from airtally.kit.logs import configure
configure("warning")
log = structlog.get_logger()
log.warning("first")
before = sys.stderr
{lost}
log.warning("lost")
sys.stderr = before if "dev/full" in {lost!r} else open("/dev/stdout", "w")
log.warning("last")
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    logged = [json.loads(line)["event"] for line in (done.stderr + done.stdout).splitlines()]
    assert logged == ["first", "last"]
