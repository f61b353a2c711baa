"""What a machine with a GPU is measured by: `python -m benchmarks.gpu`."""
