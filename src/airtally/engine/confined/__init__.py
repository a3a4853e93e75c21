"""Statements that callers wrote, each run in a process of its own within limits that the kernel holds."""
