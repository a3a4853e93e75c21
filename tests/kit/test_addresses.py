from __future__ import annotations

import pytest

from airtally.kit.addresses import neighbourhood


@pytest.mark.parametrize(
    ("host", "meant"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:1::5", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("x" * 1000, "x" * 64),
    ],
)
def test_neighbourhoods(host: str, meant: str) -> None:
    assert neighbourhood(host) == meant
