"""Fixtures of the whole suite; each group lives in a file of its own under fixtures/."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_GROUPS = (
    "fixtures.zones",  # first: the zone is set before anything else is made
    "fixtures.garbage",
    "fixtures.tracebacks",
    "fixtures.properties",
    "fixtures.opened",
    "fixtures.postgres",
    "fixtures.accounts",
    "fixtures.sail",
    "fixtures.server",
    "fixtures.tls",
    "fixtures.children",
    "fixtures.served",
    "fixtures.datasets",
    "fixtures.smtp",
    "fixtures.rollups",
    "fixtures.push_devices",
    "fixtures.declared",
    "fixtures.s3",
    "fixtures.erasures",
)

pytest_plugins = [name for name in _GROUPS if find_spec(name)]

# pyspark takes a main module without a file for a doctest run; pytest-xdist's workers have such a one
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__
