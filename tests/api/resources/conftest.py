"""A webhook receiver for the resources that send notices."""

from fixtures.receiver import receiver

__all__ = ["receiver"]
