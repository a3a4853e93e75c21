"""Processes are known by an id of their own: neither a host name nor a process number tells one from another."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from airtally.database.processes import ThisProcess

_PROGRAM = """
import sys, pathlib
from airtally.database.processes import ThisProcess
print(ThisProcess(pathlib.Path(sys.argv[1])).id, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def here(tmp_path):
    process = ThisProcess(tmp_path / "here")
    yield process
    process.close()


@pytest.fixture
def another(tmp_path):
    """`another(folder)`: the id and handle of a process that lives until the test's end."""
    started = []

    def start(folder: Path = tmp_path / "here"):
        words = [sys.executable, "-c", _PROGRAM, str(folder)]
        started.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1].stdout.readline().strip(), started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_this_process_is_not_gone(here):
    assert not here.is_gone(here.id)


def test_a_living_process_of_the_same_home_is_not_gone(here, another):
    other, _ = another()
    assert other != here.id
    assert not here.is_gone(other)


def test_a_killed_process_of_the_same_home_is_gone_at_once(here, another):
    other, handle = another()
    os.kill(handle.pid, signal.SIGKILL)
    handle.wait()
    assert here.is_gone(other)
    here.tidy()
    assert not here.is_gone(other), "nothing is left that it could be told by"


def test_of_another_home_nothing_is_told(here, another, tmp_path):
    """As of a container with the same host name and process number: dead or alive, its lease must end first."""
    other, handle = another(tmp_path / "there")
    assert not here.is_gone(other)
    handle.kill()
    handle.wait()
    assert not here.is_gone(other)


@pytest.mark.parametrize(
    "name", ["", "worker-1", "../here/x", "a" * 31, f"{socket.gethostname()}:999999:0a1b2c3d", "g" * 32]
)
def test_names_of_other_kinds_are_not_gone(here, name):
    """Earlier releases named a process by host and number: it may be another container's."""
    assert not here.is_gone(name)


def test_a_process_that_ended_in_order_leaves_nothing(tmp_path):
    process = ThisProcess(tmp_path)
    process.close()
    assert list(tmp_path.iterdir()) == []
