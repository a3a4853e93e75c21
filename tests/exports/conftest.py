"""The fixture of exports."""

from fixtures.exports import export_home

__all__ = ["export_home"]
