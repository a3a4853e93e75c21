"""Believable networks, channels, advertisers and apps, made from a seed: for the demo and as the benchmarks' source."""
