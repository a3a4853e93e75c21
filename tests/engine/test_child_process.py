"""The child for heavy work: results, errors, death, idleness."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airtally.engine.child_process import NICE, ChildProcess, InProcess
from airtally.kit.errors import LimitExceeded, Unavailable


@pytest.fixture
def pool() -> Iterator[ChildProcess]:
    pool = ChildProcess(idle_seconds=60)
    yield pool
    pool.close()


def until(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def over_the_limit() -> None:
    raise LimitExceeded("too much", hint="ask for less")


def test_a_call_runs_in_a_child_of_low_priority(pool: ChildProcess) -> None:
    child = pool.run(os.getpid)
    assert child != os.getpid()
    assert pool.run(os.getpid) == child == pool.pid
    assert pool.run(os.getpriority, os.PRIO_PROCESS, 0) == min(os.getpriority(os.PRIO_PROCESS, 0) + NICE, 19)
    assert InProcess().run(os.getpid) == os.getpid()


def test_a_failure_arrives_as_itself(pool: ChildProcess) -> None:
    with pytest.raises(LimitExceeded) as caught:
        pool.run(over_the_limit)
    assert (caught.value.message, caught.value.hint) == ("too much", "ask for less")
    assert "over_the_limit" in caught.value.__notes__[0]
    assert pool.run(len, "abc") == 3


def test_a_result_that_cannot_be_handed_over_is_an_error(pool: ChildProcess) -> None:
    with pytest.raises(RuntimeError, match="cannot be handed over"):
        pool.run(iter_of_nothing)
    assert pool.run(len, "abc") == 3


def iter_of_nothing() -> Iterator[int]:
    return (number for number in ())


def test_a_killed_child_is_unavailable_once(pool: ChildProcess) -> None:
    with pytest.raises(Unavailable, match="exit code -9"):
        pool.run(os.kill, pool.run(os.getpid), signal.SIGKILL)
    assert pool.run(len, "abc") == 3


def test_an_idle_child_ends_and_comes_back() -> None:
    pool = ChildProcess(idle_seconds=0.05)
    pool.run(len, "abc")
    until(lambda: pool.pid is None)
    assert pool.run(len, "abcd") == 4
    pool.close()


def test_close_ends_a_call_under_way(pool: ChildProcess) -> None:
    pool.run(len, "abc")
    errors: list[Exception] = []

    def call() -> None:
        try:
            pool.run(time.sleep, 60)
        except Unavailable as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    until(pool._turn.locked)
    pool.close()
    thread.join(120)
    assert len(errors) == 1
    with pytest.raises(Unavailable, match="stopping"):
        pool.run(len, "abc")


PARENT = """
import os, time
from airtally.engine.child_process import ChildProcess
if __name__ == "__main__":
    pool = ChildProcess()
    print(pool.run(os.getpid), flush=True)
    pool.run(time.sleep, 60)
"""


def test_the_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not running(child))


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
