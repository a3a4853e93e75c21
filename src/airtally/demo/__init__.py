"""A believable signage network, made from a seed: for the demo and as the benchmarks' source."""
