"""What is put off, and for how long."""

from __future__ import annotations

from airtally.kit.troubles import Troubles


def test_waits_grow_and_end_with_success():
    at = [0.0]
    troubles = Troubles(lambda: at[0])
    assert not troubles.waits("a")
    assert [troubles.failed("a", "work", OSError("full")) for _ in range(3)] == [5, 10, 20]
    assert max(troubles.failed("a", "work", OSError("full")) for _ in range(20)) == 900
    assert troubles.waits("a")
    assert not troubles.waits("b")
    at[0] = 901
    assert not troubles.waits("a")
    assert troubles.words() == ["work: full (tried 23 times)"]
    troubles.well("a")
    assert troubles.words() == []


def test_words_are_few():
    troubles = Troubles(lambda: 0)
    for number in range(30):
        troubles.failed(number, f"work {number}", ValueError("x" * 1000 + "\nmore"))
    words = troubles.words()
    assert len(words) == 21
    assert words[-1] == "and 10 more"
    assert len(words[0]) < 300
