"""Sessions that show where the time goes; each is run by itself and writes a report.

- `python -m profiling.baseline ID`: the per-object environment of Gymnasium, its wrappers, and
  `SyncVectorEnv`;
- `python -m profiling.host ID`: a step and a reset on their way to the kernel, Python and Cython;
- `python -m profiling.environment ID`: an environment's own functions, as plain Python;
- `python -m profiling.ppo ID`: one iteration of PPO;
- `python -m profiling.kernel ID`: what the compiler made of an environment's loops.

Reports go to `profiling/reports/`, or where `--out` says. The sessions run from the root of a
checkout and need `line_profiler`.
"""
