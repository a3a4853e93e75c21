"""What Airtally reaches, measured: one file a benchmark, `make bench` runs them, docs/benchmarks.md shows them."""
