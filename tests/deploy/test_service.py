"""deploy/airtally.service, as systemd's own program reads it."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from airtally.cli.serving import GRACE_SECONDS
from airtally.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "airtally.service"
OUR_UNITS = ("airtally.service", "airtally-backup.service", "airtally-backup.timer")
UNITS = Path("/usr/lib/systemd/system")
#: As systemd-analyze computes it, from 0 to 10; below 2 it calls a unit OK.
MOST_EXPOSED = 1.5

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None or not UNITS.exists(),
    reason="systemd-analyze is not installed (Debian: apt-get install systemd)",
)


def analyzed(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine on which the steps of the page have been done, as far as systemd looks at it."""
    shutil.copytree(UNITS, tmp_path / "usr/lib/systemd/system", symlinks=True)
    program = tmp_path / "opt/airtally/bin/airtally"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    for each in ("bin/sh", "usr/bin/find"):
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).touch(mode=0o755)
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    for each in OUR_UNITS:
        shutil.copy(DEPLOY / each, units)
    return tmp_path


def verified(root: Path, unit: str = UNIT.name) -> str:
    """What systemd finds wrong."""
    ended = analyzed("verify", f"--root={root}", "--man=no", unit)
    return ended.stderr + ("" if ended.returncode == 0 else f"status {ended.returncode}")


@needs_systemd
@pytest.mark.parametrize("unit", OUR_UNITS)
def test_systemd_finds_nothing_wrong(root, unit):
    assert verified(root, unit) == ""


@needs_systemd
@pytest.mark.parametrize(
    ("right", "wrong"),
    [("NoNewPrivileges", "NoNewPriviledges"), ("/opt/airtally/bin/", "/opt/nowhere/"), ("Type=exec", "Type=maybe")],
)
def test_systemd_would_find_a_mistake(root, right, wrong):
    unit = root / "etc/systemd/system" / UNIT.name
    unit.write_text(unit.read_text().replace(right, wrong))
    assert verified(root) != ""


@needs_systemd
def test_the_service_is_exposed_to_little():
    ended = analyzed("security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", "--no-pager", UNIT)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr


@needs_systemd
def test_the_bound_of_exposure_can_fail(tmp_path):
    open_unit = tmp_path / UNIT.name
    open_unit.write_text(UNIT.read_text().replace("SystemCallFilter", "#").replace("CapabilityBoundingSet=", "#"))
    ended = analyzed("security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", "--no-pager", open_unit)
    assert ended.returncode != 0


def test_a_stop_takes_no_longer_than_systemd_waits():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(UNIT)
    assert int(unit["Service"]["TimeoutStopSec"]) > 2 * GRACE_SECONDS
    assert unit["Service"]["Environment"] == "AIRTALLY_HOME=/var/lib/airtally"
    assert unit["Service"]["StateDirectory"] == "airtally"


def test_the_user_of_the_service_is_made():
    assert 'u airtally - "Airtally" /var/lib/airtally' in (DEPLOY / "airtally.sysusers.conf").read_text()


def test_the_settings_of_the_service_can_be_read():
    lines = [line for line in (DEPLOY / "airtally.env").read_text().splitlines() if not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines)
    settings = Settings.from_env(given)
    assert given.keys() <= {item.metadata["env"] for item in fields(Settings)}
    assert settings.public_url.startswith("https://")
    assert settings.idle_seconds > 60, "longer than nginx keeps its connections"
