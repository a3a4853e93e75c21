"""Rollup segments as columns of narrow types in memory maps, made of their Parquet files, which stay the truth."""
