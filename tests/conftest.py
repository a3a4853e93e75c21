"""Fixtures of the whole suite; each group lives in a file of its own under fixtures/."""

from __future__ import annotations

from importlib.util import find_spec

_GROUPS = ("fixtures.postgres", "fixtures.accounts", "fixtures.sail", "fixtures.server")

pytest_plugins = [name for name in _GROUPS if find_spec(name)]
