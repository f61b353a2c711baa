"""Where the processor is, sampled with Linux `perf`: no tracing, so that nothing is slowed down."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from profiling.report import ROOT

FREQUENCY = 10_000
"""Samples a second."""

LOOP = """
import json, sys, time
from batchsim import make_vec, registry
environment, num_envs, precision, mode, seconds = sys.argv[1:]
envs = make_vec(registry.resolve(environment), int(num_envs), precision=precision,
                autoreset_mode=mode, num_threads=1)
envs.action_space.seed(0)
actions = [envs.action_space.sample() for _ in range(64)]
envs.reset(seed=0)
mask = {"reset_mask": None}
def step(action):
    _, _, terminated, truncated, _ = envs.step(action)
    if mode == "Disabled" and (terminated | truncated).any():
        envs.reset(options={"reset_mask": terminated | truncated})
steps = 0
begin = time.clock_gettime(time.CLOCK_MONOTONIC)
end = begin + float(seconds)
while time.clock_gettime(time.CLOCK_MONOTONIC) < end:
    for action in actions:
        step(action)
    steps += len(actions)
end = time.clock_gettime(time.CLOCK_MONOTONIC)
print(json.dumps([dict(envs.kernel.addresses), begin, end, steps]))
"""
"""Steps one batch, then prints where the kernel's parts are, when it began and ended, and the
steps.
"""


class SamplingError(Exception):
    """There is no `perf` here or it may not run; the message is a sentence."""


@dataclass
class Samples:
    """Samples of a stepping loop."""

    addresses: dict[str, int]
    """Where each part of the kernel begins, by its name."""
    nanoseconds: float
    """Processor time of one call of `step`, the loop around it included."""
    places: list[tuple[int, str, str]]
    """Address, function and library of each sample."""


def sample(
    environment: str,
    num_envs: int,
    precision: str = "exact",
    mode: str = "NextStep",
    seconds: float = 3.0,
) -> Samples:
    """Return where a process is that steps a batch on one thread.

    Raises:
        SamplingError: if `perf` is missing or refused.
    """
    perf = shutil.which("perf")
    if perf is None:
        raise SamplingError("There is no `perf` on this machine: nothing was sampled.")
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "perf.data")
        # The clock of the child's own readings; processor cycles are not counted in many virtual
        # machines, the time is.
        record = ["record", "-q", "-o", data, "-k", "CLOCK_MONOTONIC", "-F", str(FREQUENCY)]
        child = [
            sys.executable,
            "-c",
            LOOP,
            environment,
            str(num_envs),
            precision,
            mode,
            str(seconds),
        ]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(
            [perf, *record, "-e", "cpu-clock:u", "--", *child],
            capture_output=True,
            text=True,
            env=environ,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise SamplingError(f"`perf record` is refused here ({last}): nothing was sampled.")
        addresses, begin, end, steps = json.loads(done.stdout)
        script = subprocess.run(
            [perf, "script", "-i", data, "-F", "time,ip,sym,dso"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    places = []
    for row in script.splitlines():
        moment, _, rest = row.strip().partition(": ")
        ip, _, rest = rest.strip().partition(" ")
        symbol, _, library = rest.rpartition(" (")
        if begin <= float(moment) <= end:
            places.append((int(ip, 16), symbol.strip(), library.rstrip(")")))
    # Processor time: a busy machine makes the steps slower, but not more samples.
    spent = len(places) / FREQUENCY / steps * 1e9
    return Samples(addresses, spent, places)
