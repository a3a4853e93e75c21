from ipaddress import ip_network
from pathlib import Path

import pytest

from airtally.kit.setting_values import parse_duration, parse_size
from airtally.settings import SettingError, Settings


def test_without_environment_everything_lives_in_the_home():
    settings = Settings.from_env({})
    assert settings.lake_url == str(Path("airtally-data/lake").absolute())
    assert settings.database_url.startswith("sqlite:///")
    assert settings.engine == "duckdb"


@pytest.mark.parametrize(
    ("text", "seconds"), [("300", 300), ("300s", 300), ("5m", 300), ("4h", 14_400), ("90d", 7_776_000), ("0.5s", 0.5)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("1048576", 1 << 20), ("64MiB", 64 << 20), ("2GiB", 2 << 30), ("500MB", 500_000_000), ("7kb", 7000)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "environ",
    [
        {"AIRTALLY_BUFFER_MAX": "much"},
        {"AIRTALLY_RATE_LIMITS": "perhaps"},
        {"AIRTALLY_OUTGOING_ALLOW": "127.0.0.1/99"},
        {"AIRTALLY_FLUSH_SECONDS": "-1"},
        {"AIRTALLY_RETAIN_NOSUCH": "5"},
        {"AIRTALLY_RETAIN_PLAYLOGS": "0"},
        {"AIRTALLY_FOURYOUSEE_RETRY_SECONDS": "120,x"},
    ],
)
def test_a_wrong_value_is_named(environ):
    with pytest.raises(SettingError, match=next(iter(environ))):
        Settings.from_env(environ)


def test_values_of_every_kind():
    settings = Settings.from_env(
        {
            "AIRTALLY_OUTGOING_ALLOW": "127.0.0.0/8, ::1/128",
            "AIRTALLY_RATE_LIMITS": "off",
            "AIRTALLY_FOURYOUSEE_RETRY_SECONDS": "1,2m,3",
            "AIRTALLY_RETAIN_PLAYLOGS": "30",
        }
    )
    assert settings.outgoing_allow == (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    assert settings.rate_limits is False
    assert settings.fouryousee_retry_seconds == (1, 120, 3)
    assert settings.retention["playlogs"] == 30


def test_several_processes_share_what_all_may_use():
    whole = Settings.from_env({"AIRTALLY_BODY_MAX": "64MiB", "AIRTALLY_BODIES_MAX": "512MiB"})
    share = whole.shared_by(8)
    assert (share.buffer_max, share.answer_cache) == (whole.buffer_max // 8, whole.answer_cache // 8)
    assert share.connections * 8 >= whole.connections
    assert share.bodies_max == 2 * whole.body_max, "the largest body of one address fits"
    assert whole.with_(bodies_max=1 << 20).shared_by(2).bodies_max == 1 << 20
    assert whole.shared_by(1) == whole.with_(bodies_max=share.bodies_max * 4)
