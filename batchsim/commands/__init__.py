"""What a person types: a file for each command of `python -m batchsim`."""
