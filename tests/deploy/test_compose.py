"""deploy/compose.yaml holds what keeps a container in its place."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest
import yaml

from airtally.cli.serving import GRACE_SECONDS
from airtally.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICE = COMPOSE["services"]["airtally"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def test_the_container_has_no_rights_and_one_place_to_write():
    assert SERVICE["read_only"] is True
    assert SERVICE["cap_drop"] == ["ALL"]
    assert "cap_add" not in SERVICE
    assert "privileged" not in SERVICE
    assert "no-new-privileges:true" in SERVICE["security_opt"]
    assert SERVICE["user"] == re.search(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)[1] == "10001:10001"
    (volume,) = SERVICE["volumes"]
    name, path = volume.split(":")
    assert name in COMPOSE["volumes"]
    assert f"VOLUME {path}\n" in DOCKERFILE
    (tmpfs,) = SERVICE["tmpfs"]
    assert tmpfs.startswith("/tmp:")
    assert {"nosuid", "nodev", "noexec"} <= set(tmpfs.split(":")[1].split(","))


def test_it_is_started_again_and_stopped_in_time():
    assert SERVICE["restart"] == "unless-stopped"
    assert int(SERVICE["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS
    assert SERVICE["pids_limit"] > 0
    assert SERVICE["mem_limit"]


def test_only_this_machine_reaches_it_and_only_the_proxy_is_trusted():
    (port,) = SERVICE["ports"]
    assert port.startswith("127.0.0.1:")
    (exposed,) = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)
    assert port.endswith(f":{exposed}")
    (pool,) = COMPOSE["networks"]["outside"]["ipam"]["config"]
    (trusted,) = Settings.from_env(
        {"AIRTALLY_TRUSTED_PROXIES": SERVICE["environment"]["AIRTALLY_TRUSTED_PROXIES"]}
    ).trusted_proxies
    assert trusted == ipaddress.ip_network(pool["gateway"])
    assert ipaddress.ip_address(pool["gateway"]) in ipaddress.ip_network(pool["subnet"])


def test_every_variable_is_a_setting_and_no_secret_is_written_down():
    settings = {item.metadata["env"] for item in Settings.__dataclass_fields__.values()}
    assert SERVICE["environment"].keys() <= settings
    written = {"AIRTALLY_TRUSTED_PROXIES", "AIRTALLY_IDLE_SECONDS"}
    for name, value in SERVICE["environment"].items():
        assert name in written or value.startswith(f"${{{name}:")


def test_the_image_is_built_from_the_checkout():
    build = SERVICE["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"


FILES = sorted(each for each in DEPLOY.rglob("*") if each.is_file())


@pytest.mark.parametrize("file", FILES, ids=lambda each: each.name)
def test_no_file_names_a_host_of_others(file):
    hosts = re.findall(r"https?://([\w.-]+)", file.read_text())
    assert [each for each in hosts if "." in each and not each.endswith((".example.org", "127.0.0.1"))] == []
