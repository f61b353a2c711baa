"""The ladder: the same environments built ever faster, each way checked before it is timed."""
