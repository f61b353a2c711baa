"""Benchmarks: what a step costs, beside what else could step these environments."""
