"""deploy/Dockerfile: its steps are run in roots of their own, and its program as compose.yaml would run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from fixtures.image_steps import instructions

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"
USER = 10001
MOST_BYTES = 600 << 20


def may_mount() -> bool:
    """Whether this process may make mounts and networks of its own."""
    if os.geteuid() != 0:
        return False
    probe = ["unshare", "--mount", "--net", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not may_mount():
        pytest.skip("the image's steps need root and the right to mount")
    command = ["unshare", "--mount", "--propagation=private", sys.executable, "-m", "fixtures.image_steps"]
    work = tmp_path_factory.mktemp("image")
    ended = subprocess.run(
        [*command, DOCKERFILE, ROOT, work],
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-5000:]
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_all_that_is_copied_is_sent_to_the_engine() -> None:
    lines = (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()
    sent = [line[1:] for line in lines if line.startswith("!")]
    copied = [
        source.rstrip("/")
        for word, rest in instructions(DOCKERFILE.read_text())
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert [each for each in copied if not any(fnmatch(each, pattern) for pattern in sent)] == []
    assert [each for each in copied if not (ROOT / each).exists()] == []


def test_the_base_images_are_dockers_own() -> None:
    images = [rest.split()[0] for word, rest in instructions(DOCKERFILE.read_text()) if word == "FROM"]
    assert images == ["python:${PYTHON}-slim"] * 2


@pytest.mark.slow
def test_the_image_serves_without_rights_on_a_root_that_is_read_only(image) -> None:
    assert image["healthy"], "HEALTHCHECK"
    assert image["id"]["out"].strip() == str(USER)
    assert image["account"]["status"] == 0, image["account"]["err"]
    assert json.loads(image["sql"]["out"])["rows"] == [{"found": 41}], image["sql"]["err"]
    assert image["write"]["status"] != 0
    assert "Read-only file system" in image["write beside"]["err"]
    assert image["executable tmp"]["status"] != 0
    rights = dict(line.split(":\t") for line in image["rights"]["out"].splitlines())
    assert rights == {"CapPrm": "0" * 16, "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1"}


@pytest.mark.slow
def test_the_image_stops_and_leaves_a_home_for_its_user_alone(image) -> None:
    assert image["stopped"] in {0, -signal.SIGTERM}
    assert [name for name in image["home"] if name.endswith(".sqlite")] == ["metadata.sqlite"], "the buffer is flushed"
    assert {"metadata.sqlite", "secret.key", "lake"} <= image["home"].keys()
    assert {owner for owner, _ in image["home"].values()} == {USER}
    assert [name for name, (_, mode) in image["home"].items() if mode & 0o077] == []


@pytest.mark.slow
def test_the_image_has_the_program_and_little_else(image) -> None:
    packages = image["packages"]["out"].split()
    assert "airtally" in packages
    assert {"htmx.js", "swagger-ui.js", "uplot.js"} <= set(image["assets"]["out"].split())
    assert {"pip", "hatchling", "pytest", "mypy"} & set(packages) == set()
    assert not any(each.startswith("__editable__") for each in packages)
    status, length = map(int, image["docs"]["out"].split())
    assert (status, length > 10_000) == (200, True)
    assert image["size"] < MOST_BYTES
