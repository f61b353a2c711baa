"""How close each kernel comes to what the machine can do: `python -m benchmarks.roofline`.

After Williams, Waterman and Patterson, "Roofline: An Insightful Visual Performance Model for
Multicore Architectures" (Communications of the ACM 52, 2009).
"""
