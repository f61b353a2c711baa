"""Random definitions and random configurations, compared bit for bit: `python -m tests.fuzz`."""
