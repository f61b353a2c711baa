"""From an environment's functions to a kernel: machine code, or plain Python, that runs tiles."""
