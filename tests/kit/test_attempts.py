from __future__ import annotations

from airtally.kit import attempts
from airtally.kit.attempts import ATTEMPT, Attempt


def test_a_right_reading_makes_good_for_a_wrong_one() -> None:
    """Tapjoy's key is looked up in up to three readings of the header."""
    attempt = Attempt()
    token = ATTEMPT.set(attempt)
    attempts.note(right=False)
    assert attempt.failed
    attempts.note(right=True)
    assert not attempt.failed
    ATTEMPT.reset(token)
    attempts.note(right=False)  # outside of a request nothing is noted
