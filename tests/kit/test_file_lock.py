from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from airtally.kit.file_lock import FileLock

HOLDER = """
import sys, time
from pathlib import Path
from airtally.kit.file_lock import FileLock
lock = FileLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
time.sleep(600)
"""


def test_one_holds_it_until_it_is_released(tmp_path: Path) -> None:
    first, second = (FileLock(tmp_path / "lock") for _ in range(2))
    assert first.acquire()
    assert not second.acquire()
    first.release()
    first.release()
    assert second.acquire()
    second.release()


def test_it_ends_with_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        lock = FileLock(tmp_path / "lock")
        assert not lock.acquire()
        holder.kill()
        holder.wait(60)
        assert lock.acquire()
        lock.release()


def test_who_waits_has_it_next(tmp_path: Path) -> None:
    lock, entered = FileLock(tmp_path / "lock"), threading.Event()

    def wait() -> None:
        with FileLock(tmp_path / "lock").held():
            entered.set()

    with lock.held():
        thread = threading.Thread(target=wait)
        thread.start()
        assert not entered.wait(0.05)
    thread.join(60)
    assert entered.is_set()


def test_a_file_that_is_not_there_is_made_or_not(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with pytest.raises(FileNotFoundError):
        lock.acquire(create=False)
    assert not lock.path.exists()
    with lock.held():
        assert lock.path.stat().st_mode & 0o777 == 0o600
