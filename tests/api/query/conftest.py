"""The fixture of questions."""

from fixtures.questions import asked

__all__ = ["asked"]
