import threading

from airtally.kit.loops import Loop


def test_a_step_is_repeated_and_an_error_does_not_end_it():
    calls, enough = [], threading.Event()

    def step() -> float:
        calls.append(None)
        if len(calls) == 1:
            raise RuntimeError("once")
        if len(calls) == 4:
            enough.set()
        return 0.001

    loop = Loop("test", step, 0.001)
    loop.start()
    loop.wake()
    assert enough.wait(120)
    loop.stop()
    assert not loop.alive
    assert loop.failures == 0, "a good step forgets the errors before it"


def test_wake_ends_the_wait():
    called = threading.Semaphore(0)
    loop = Loop("test", called.release, 3600)
    loop.start()
    assert called.acquire(timeout=120)
    loop.wake()
    assert called.acquire(timeout=120)
    loop.stop()
