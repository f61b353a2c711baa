"""What runs a batch: its arrays, the driver with its threads, and all that callers see of it."""
