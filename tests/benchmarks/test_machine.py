from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.machine import Watch, cpu_seconds, resident, tree

CHILD = "import subprocess, sys, time; subprocess.run([sys.executable, '-c', 'x = b\"x\" * 60_000_000; import time; time.sleep(30)'])"


def test_children_count_too() -> None:
    parent = subprocess.Popen([sys.executable, "-c", CHILD])
    try:
        with Watch(parent.pid, every=0.02) as watch:
            deadline = time.monotonic() + 120
            while watch.peak < 70_000_000 and time.monotonic() < deadline:
                time.sleep(0.02)
        assert len(tree(parent.pid)) == 2
        assert resident(parent.pid) > 70_000_000 < watch.peak
        assert watch.process_peak < watch.peak
    finally:
        for pid in reversed(tree(parent.pid)):
            os.kill(pid, 9)
        parent.wait()


def test_processor_time_is_that_of_the_process() -> None:
    before = cpu_seconds(os.getpid())
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert 0.05 <= cpu_seconds(os.getpid()) - before < 5
