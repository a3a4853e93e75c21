"""How the texts of settings are read. Each parser raises ValueError with what it expects."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network


def parse_duration(text: str) -> float:
    """Seconds from `300`, `300s`, `5m`, `4h` or `90d`. Raises ValueError on anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    if not match:
        raise ValueError("a duration such as 300s, 5m, 4h or 90d")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def parse_size(text: str) -> int:
    """Bytes from `1048576`, `64MiB`, `2GiB`, `500MB`. Raises ValueError on anything else."""
    match = re.fullmatch(r"(\d+)\s*([KMG]?)(i?)B?", text.strip(), re.IGNORECASE)
    if not match:
        raise ValueError("a size such as 1048576, 64MiB or 2GiB")
    base = 1024 if match[3] or not match[2] else 1000
    power = " KMG".index(match[2].upper() or " ")
    return int(match[1]) * int(base**power)


def positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ValueError("a whole number above 0")
    return int(text)


def origins(text: str) -> tuple[str, ...]:
    origins = tuple(each.strip().rstrip("/").lower() for each in text.split(",") if each.strip())
    if not all(each == "*" or re.fullmatch(r"https?://[a-z0-9.:\[\]-]+", each) for each in origins):
        raise ValueError("origins such as https://example.org, separated by commas, or *")
    return origins


def switch(text: str) -> bool:
    if text.lower() not in {"on", "off", "true", "false", "1", "0", "yes", "no"}:
        raise ValueError("on or off")
    return text.lower() in {"on", "true", "1", "yes"}


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(" or ".join(choices))
        return text

    return parse


def interval(text: str) -> float:
    seconds = parse_duration(text)
    if not 1 <= seconds <= 86_400 or 86_400 % seconds:
        raise ValueError("a duration of which a day is a multiple, such as 15m, 4h or 24h")
    return seconds


def link_life(text: str) -> float:
    seconds = parse_duration(text)
    if not 3600 <= seconds <= 604_800:
        raise ValueError("a duration from 1h to 7d")
    return seconds


def networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(f"networks such as 127.0.0.0/8,10.0.0.0/8 ({error})") from None


def days(text: str) -> int:
    try:
        return positive(text)
    except ValueError:
        raise ValueError("a number of days above 0, or forever") from None


def seconds_list(text: str) -> tuple[float, ...]:
    return tuple(parse_duration(part) for part in text.split(","))
