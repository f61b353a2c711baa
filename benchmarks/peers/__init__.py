"""batchsim side by side with its peers, stepped by one harness: `python -m benchmarks.peers`.

A step is one transition of one environment: no frame-skip is multiplied in, episodes have their
time limit and are reset as they end, each call gets new random actions (drawn before and passed in
turn), and the observations that it returns are copied into a NumPy array of the caller's.

Every peer runs in a process of its own and takes blocks of calls in turn with all others, so that
they meet the same noise and none has the threads of another beside it. Those that other packages'
requirements exclude run in virtual environments of their own. One file in `adapters/` knows one
library.

PufferLib is not among them: its source distribution does not build with the versions that this
project is tested with.
"""
