from __future__ import annotations

import pytest

from airtally.kit.bearer import bearer_token


@pytest.mark.parametrize("header", ["Bearer a|b", "bearer a|b", " BEARER    a|b "])
def test_a_token(header: str) -> None:
    assert bearer_token(header) == "a|b"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic a|b", "a|b", "Bearera|b"])
def test_no_token(header: str) -> None:
    assert bearer_token(header) is None
