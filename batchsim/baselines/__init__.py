"""Environments that Gymnasium does not have, as ordinary `gymnasium.Env`s of one object each.

They are what a researcher would write first, in plain Python and NumPy: the tests and the ladder
compare batches with them, bit for bit, as with Gymnasium's own.
"""
