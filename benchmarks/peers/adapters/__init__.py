"""The peers, one file a library."""
