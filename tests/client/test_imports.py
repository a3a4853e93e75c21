"""What is loaded when: `import airtally` costs nothing, and the client loads no server and no library of tables."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import airtally


def loaded_after(code):
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(ended.stdout))


def test_importing_the_package_loads_nothing_of_it():
    assert [
        each for each in loaded_after("import airtally") if each.startswith(("airtally.", "httpx", "msgspec"))
    ] == []


def test_the_client_loads_neither_the_server_nor_tables():
    loaded = loaded_after("from airtally import Client; Client('http://localhost', 't')")
    ours = {each for each in loaded if each.startswith("airtally.")}
    assert all(each.startswith("airtally.client") for each in ours)
    assert loaded & {"pyarrow", "pandas", "polars", "numpy", "litestar", "duckdb"} == set()


def test_the_package_has_no_other_names():
    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        airtally.Klient  # noqa: B018
    with pytest.raises(ImportError):
        exec("from airtally import Server")
