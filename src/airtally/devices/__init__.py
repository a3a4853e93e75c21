"""Devices of applications with push notices: their registrations and their tags."""

from __future__ import annotations

from airtally.devices.devices import Devices, Skipped
from airtally.devices.values import fitted

__all__ = ["Devices", "Skipped", "fitted"]
