"""Devices of push-enabled applications: what they are, and the tags that they carry."""

from __future__ import annotations

from airtally.devices.devices import Devices, Skipped
from airtally.devices.values import fitted

__all__ = ["Devices", "Skipped", "fitted"]
