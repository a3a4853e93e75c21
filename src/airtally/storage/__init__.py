"""Everything from an acknowledged row to a snapshot: buffer, lake, and the store that reads both as one."""
