import os
import subprocess
import sys

from airtally.metadata.owner import is_gone, owner_name

_NAME = "from airtally.metadata.owner import owner_name; print(owner_name())"


def test_this_process_is_not_gone():
    assert not is_gone(owner_name())


def test_an_ended_process_of_this_machine_is_gone():
    ended = subprocess.run([sys.executable, "-c", _NAME], capture_output=True, text=True, check=True).stdout.strip()
    assert is_gone(ended)


def test_what_cannot_be_told_is_not_gone():
    assert not is_gone(f"another-machine:{os.getpid()}:0")
    assert not is_gone("no owner of ours")
    assert not is_gone("")
