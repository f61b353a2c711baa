"""Batches of environments and PyTorch policies."""
