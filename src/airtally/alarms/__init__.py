"""Alarms that accounts declare: a silent stream, late work, a growing quarantine."""
